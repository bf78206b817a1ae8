/**
 * `node up-alone.ts ID DIRECTORY`: sets a testbed up in a process that can be killed; prints its steps, one per line.
 */
import { testbedUp } from '../../src/testbed/up.ts';
import { sliceOf } from './support.ts';

const [id, directory] = process.argv.slice(2) as [string, string];
await testbedUp([sliceOf(['a', 'b', 'c'], [['a', 'b', 5]])], {
  id,
  directory,
  server: 'embedded',
  onProgress: (text) => console.log(text),
});
console.log('up');
