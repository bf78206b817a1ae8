/** Joins stdin and stdout to a port of 127.0.0.1, as a ProxyCommand does. */
import { connect } from 'node:net';

const socket = connect(Number(process.argv[2]), '127.0.0.1');
process.stdin.pipe(socket);
socket.pipe(process.stdout);
