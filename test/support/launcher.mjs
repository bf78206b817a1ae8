// Stands for a Node.js that is too old: launches the program under this one, as pl-vnm.mjs does there.
import { launch } from '../../src/cli/launch.mjs';

launch(process.execPath, process.argv.slice(2));
