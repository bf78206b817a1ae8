/** The record of a local testbed, which the caller keeps. */
import * as z from 'zod';
import { dataplanes } from '../model/dataplane.ts';

const testbedNodeSchema = z.strictObject({
  name: z.string(),
  host: z.literal('127.0.0.1'),
  port: z.int().min(1).max(65_535),
  user: z.string(),
  /** Path of the client's private key. */
  key: z.string(),
  /** The address to which other nodes send tunnel packets. */
  address: z.ipv4(),
  /** On a userspace testbed: the UDP port of that address, by slice. */
  tunnelPorts: z.record(z.string(), z.int().min(1).max(65_535)).exactOptional(),
  /** The network namespace that is this node; empty on a userspace testbed. */
  namespace: z.string(),
  /** The login's PL_VNM_DIR; absent in records of earlier versions, and on a userspace testbed. */
  agentDirectory: z.string().exactOptional(),
});

export const testbedSchema = z.strictObject({
  id: z.string(),
  directory: z.string(),
  server: z.enum(['embedded', 'openssh']),
  dataplane: z.enum(dataplanes),
  nodes: z.array(testbedNodeSchema),
  /** Path of the file with the nodes' host keys. */
  knownHosts: z.string(),
  /** `relay`: tunnel packets are delayed as the slices declare; `none`: nodes reach each other directly. */
  latency: z.enum(['relay', 'none']),
});

/** A running local testbed; plain data that survives JSON. */
export type Testbed = z.infer<typeof testbedSchema>;
export type TestbedNode = Testbed['nodes'][number];
export type ServerKind = Testbed['server'];
