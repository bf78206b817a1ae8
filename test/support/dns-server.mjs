// A minimal DNS server: answers every query for an address with 192.0.2.53. Argument: its UDP port of 127.0.0.1.
import { createSocket } from 'node:dgram';

const answer = Buffer.from('c00c0001000100000000' + '0004' + 'c0000235', 'hex');

const socket = createSocket('udp4');
socket.on('message', (query, { port, address }) => {
  // Only the question, without what may follow it: it ends four bytes after the name's empty label.
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const header = Buffer.from([query[0], query[1], 0x84 | (query[2] & 1), 0, 0, 1, 0, 1, 0, 0, 0, 0]);
  socket.send([header, question, answer], port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');
