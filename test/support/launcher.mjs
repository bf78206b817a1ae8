// Launches the program like pl-vnm.mjs does on a Node.js that is too old.
import { launch } from '../../src/cli/launch.mjs';

launch(process.execPath, process.argv.slice(2));
