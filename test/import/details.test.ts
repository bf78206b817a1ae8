/** The rules of single formats, beyond the input files. */
import { describe, expect, it } from 'vitest';
import { sshArguments } from '../../src/import/formats/ssh-arguments.ts';
import { LegalNames } from '../../src/import/names.ts';
import { freeSubnet } from '../../src/import/subnet.ts';
import { latencyMs } from '../../src/import/topology.ts';
import { parseAddress } from '../../src/model/address.ts';
import { importTexts, linksIn, nodesIn, remarksIn } from './support/inputs.ts';

describe('Ansible', () => {
  it('variables of a child group win over those of its parents, of hosts over all; equal ranks go by priority and name', () => {
    const text = [
      '[all:vars]\nansible_user=everyone',
      '[parent:children]\na\nb',
      '[parent:vars]\nansible_user=parent',
      '[a]\nx\ny ansible_user=own\nz',
      '[b]\nx',
      '[a:vars]\nansible_user=a',
      '[b:vars]\nansible_user=b',
      '[c]\nz',
      '[c:vars]\nansible_user=c\nansible_group_priority=10',
      '[d]\nw',
    ].join('\n');
    expect(nodesIn(importTexts([text]))).toEqual({ x: 'b@x', y: 'own@y', z: 'a@z', w: 'everyone@w' });
  });

  it('ranges have steps, letters and leading zeros', () => {
    expect(Object.keys(nodesIn(importTexts(['[a]\nr[08:12:2]\ng[b:d]\nh[1:2]x[0:1]\n'])))).toEqual([
      ...['r08', 'r10', 'r12', 'gb', 'gc', 'gd'],
      ...['h1x0', 'h1x1', 'h2x0', 'h2x1'],
    ]);
  });

  it('a plain list of hosts is an inventory', () => {
    expect(nodesIn(importTexts(['# hosts\none.example.org\ntwo.example.org:2222\n']))).toEqual({
      'one-example-org': 'one.example.org',
      'two-example-org': 'two.example.org:2222',
    });
  });

  it('a vault and other tags do not stop the import', () => {
    const text =
      'all:\n  hosts:\n    x:\n      ansible_password: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        6162\n';
    const result = importTexts([text]);
    expect(nodesIn(result)).toEqual({ x: 'x' });
    expect(remarksIn(result)).toContain('one:4:32: not imported: variable ansible_password');
  });

  it('hosts that SSH may not reach are remarked', () => {
    const result = importTexts([
      '[a]\nx ansible_connection=docker\ny ansible_connection=ansible.netcommon.network_cli\n',
    ]);
    expect(remarksIn(result)).toContain('one:2:1: host x: its connection is docker, but a node is reached by SSH');
    expect(remarksIn(result).join()).not.toContain('host y');
  });

  it('an old dynamic inventory with lists as groups is read', () => {
    const text = '{"_meta": {"hostvars": {"x": {"ansible_host": "192.0.2.1"}}}, "web": ["x", "y"]}';
    expect(nodesIn(importTexts([text]))).toEqual({ x: '192.0.2.1', y: 'y' });
  });
});

describe('Terraform', () => {
  const output = (outputs: Record<string, unknown>) =>
    JSON.stringify(
      Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [name, { sensitive: false, type: 'x', value }]),
      ),
    );

  it('maps, lists, objects and single addresses are nodes', () => {
    const text = output({
      node_ips: { a: '192.0.2.1', b: '192.0.2.2' },
      worker_ips: ['192.0.2.3', '192.0.2.4'],
      bastion_ip: '192.0.2.5',
      machines: [{ name: 'c', public_ip: '192.0.2.6', ssh_user: 'debian', ssh_port: 2222 }],
      edge: { host: 'edge.example.org', user: 'me' },
    });
    expect(nodesIn(importTexts([text]))).toEqual({
      a: '192.0.2.1',
      b: '192.0.2.2',
      'worker-1': '192.0.2.3',
      'worker-2': '192.0.2.4',
      bastion: '192.0.2.5',
      c: 'debian@192.0.2.6:2222',
      edge: 'me@edge.example.org',
    });
  });

  it('nodes with private addresses only are reached by these', () => {
    expect(nodesIn(importTexts([output({ private_ips: { a: '10.0.0.1', b: '10.0.0.2' } })]))).toEqual({
      a: '10.0.0.1',
      b: '10.0.0.2',
    });
  });
});

describe('containerlab and GraphML', () => {
  it('bridges that are joined are one medium, and nodes of kind host are left out', () => {
    const text = `topology:
  nodes: { a: , b: , c: , s1: { kind: bridge }, s2: { kind: ovs-bridge }, here: { kind: host } }
  links:
    - endpoints: ["a:1", "s1:1"]
    - endpoints: ["b:1", "s2:1"]
    - endpoints: ["s1:2", "s2:2"]
    - endpoints: ["c:1", "a:2"]
    - endpoints: ["c:2", "here:eth0"]
`;
    const result = importTexts([text], { name: 'lab' });
    expect(linksIn(result)).toEqual(['c a', 'a b']);
    expect(remarksIn(result)).toContain('one:8:7: link of c to here is not imported: it leaves the lab');
  });

  it('the largest part of a disconnected network is imported, the rest is listed', () => {
    const text = 'a[0]="A"\nb[0]="A"\nc[0]="B"\nd[0]="B"\nd[1]="C"\ne[0]="C"\n';
    const result = importTexts([text]);
    expect(linksIn(result)).toEqual(['c d', 'd e']);
    expect(remarksIn(result)).toContain('one:1:1: not imported, because no link joins them to the largest part: a, b');
  });

  it('a node of a graph that stands for a hyperedge joins its neighbours', () => {
    const nodes = '<node id="0"/><node id="1"/><node id="2"/><node id="3"><data key="h">1</data></node>';
    const edges = ['0', '1', '2'].map((id) => `<edge source="${id}" target="3"/>`).join('');
    const text = `<graphml><key id="h" attr.name="hyperedge"/><graph>${nodes}${edges}</graph></graphml>`;
    expect(linksIn(importTexts([text]))).toEqual(['0 1', '0 2', '1 2']);
  });
});

describe('parts', () => {
  it('names become legal and differ', () => {
    const names = new LegalNames();
    const made = ['New York', 'new york', 'Zürich', '-', 'a'.repeat(40), 'a'.repeat(41), 'r_1', 'x--y', '日本'].map(
      (name) => names.legal(name),
    );
    expect(made).toEqual([
      ...['new-york', 'new-york-2', 'zurich', 'node', 'a'.repeat(32), `${'a'.repeat(30)}-2`, 'r-1', 'x--y', 'node-2'],
    ]);
  });

  it('the subnet has no address of a node', () => {
    const vn = { links: [], gateways: [], endHosts: [] };
    expect(freeSubnet(vn, [])).toBe('10.65.0.0/16');
    expect(freeSubnet(vn, ['10.65.3.4', '10.66.0.1'].map(parseAddress))).toBe('10.67.0.0/16');
  });

  it('a latency is the time of light in fibre', () => {
    const [seattle, denver] = [
      { latitude: 47.61, longitude: -122.33 },
      { latitude: 39.74, longitude: -104.99 },
    ];
    // 1,641 km by slices/abilene.yaml, which has 8.2 ms.
    expect(latencyMs(seattle, denver)).toBeCloseTo(8.2, 1);
    expect(latencyMs(seattle, seattle)).toBe(0);
  });

  it.each([
    ['ssh -i k -F /home/me/ssh_config me@host', { key: 'k', config: '/home/me/ssh_config' }],
    ['-J me@a:22,b', { jump: ['me@a:22', 'b'] }],
    ['-o ProxyJump=bastion', { jump: ['bastion'] }],
    ['-oport=2200 -l me -o "IdentityFile ~/my keys/k"', { port: 2200, user: 'me', key: '~/my keys/k' }],
    ['-qi k -p22', { key: 'k', port: 22 }],
    ['-o ProxyCommand="ssh -W %h:%p -q me@gateway.example.org"', { jump: ['me@gateway.example.org'] }],
    ["-o ProxyCommand='ssh -W [%h]:%p -p 2222 -l me 2001:db8::7'", { jump: ['me@[2001:db8::7]:2222'] }],
    [
      "-o ProxyCommand='ssh -p 2222 -i ~/.ssh/b -W %h:%p me@b'",
      { jump: [{ host: 'b', port: 2222, user: 'me', key: '~/.ssh/b' }] },
    ],
    [
      '-o \'ProxyCommand="ssh -o User=me -o IdentityFile=k -J a -W %h:%p b"\'',
      { jump: ['a', { host: 'b', user: 'me', key: 'k' }] },
    ],
    ['-o ProxyJump=none', { unused: ['-o ProxyJump=none'] }],
    ['-o ProxyCommand="nc -X connect %h %p"', { unused: ['-o ProxyCommand=nc -X connect %h %p'] }],
    ['-o ProxyCommand="ssh b nc %h %p"', { unused: ['-o ProxyCommand=ssh b nc %h %p'] }],
    [
      '-o ProxyCommand="ssh -F c -C -W %h:%p b"',
      { jump: ['b'], unused: ['-F c in ProxyCommand', '-C in ProxyCommand'] },
    ],
    ['-C -o ControlMaster=auto word', { unused: ['-C', '-o ControlMaster=auto', 'word'] }],
    ['-p 0 -i a -i b', { key: 'a', unused: ['-p 0', '-i b'] }],
    ["-i 'a", { key: "'a" }],
  ])('the arguments %s', (text, found) => {
    expect(sshArguments(text)).toEqual({ unused: [], ...found });
  });

  it('what the file says elsewhere comes before arguments', () => {
    const own = { user: 'vnm', port: 22, key: 'k' };
    expect(sshArguments('-l me -p 2200 -i k', own)).toEqual({ ...own, unused: ['-l me', '-p 2200'] });
  });
});
