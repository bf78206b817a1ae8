/** Sockets of the node's own stack, and programs of the node for what Node.js has no sockets for. */
import type { Endpoints } from '../endpoints.ts';
import { icmpEcho } from './icmp-echo.ts';
import { packetSizes } from './packet-size.ts';
import { pathMtu } from './path-mtu.ts';
import { openUdp } from './udp.ts';

export const kernelEndpoints: Endpoints = { openUdp, echo: icmpEcho, packetSizes, pathMtu };
