import { expect, it } from 'vitest';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { noteUnfiltered } from '../../src/controller/nodes/unfiltered.ts';

it('noteUnfiltered names the nodes that accept tunnel packets from anyone, with the reason', () => {
  const detail = "tunnel packets are accepted from any sender: there is no 'nft' (package nftables)";
  const agents = {
    get: (node: string) => ({
      facts: {
        features: [
          { name: 'tunnel-filter', ...(node === 'bare' ? { available: false, detail } : { available: true }) },
        ],
      },
    }),
  } as unknown as Agents;
  const notes: unknown[] = [];
  noteUnfiltered({ report: (note) => notes.push(note) }, agents, ['gw1', 'bare', 'bare']);
  expect(notes).toEqual([
    {
      kind: 'note',
      text: `node 'bare': ${detail}; any user of that node can send into the VN\n  hint: install nftables there, then run the command again`,
    },
  ]);
});
