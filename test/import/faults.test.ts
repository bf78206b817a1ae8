/** Broken or ambiguous files: one error with the place, and what to do. */
import { describe, expect, it } from 'vitest';
import { updateSlice } from '../../src/import/index.ts';
import { VnmError } from '../../src/model/errors.ts';
import { importTexts } from './support/inputs.ts';

function errorOf(texts: readonly string[], options = {}): string {
  try {
    importTexts(texts, options);
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    expect(error.code).toBe('invalid-input');
    return `${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`;
  }
  throw new Error('the files are valid');
}

const known =
  "known are FABlib's listings, GENI manifests, Ansible inventories, 'terraform output -json', containerlab and Kathara topologies, GraphML, SNDlib";
const rspec = (type: string, content: string) =>
  `<rspec xmlns="http://www.geni.net/resources/rspec/3" type="${type}">\n${content}\n</rspec>`;
const node = (id: string, login: string) => `<node client_id="${id}"><services><login ${login}/></services></node>`;
const graph = (content: string) => `<graphml>\n<graph>\n${content}\n</graph>\n</graphml>`;
const lab = (content: string) => `name: x\ntopology:\n  nodes:\n    a:\n    b:\n${content}`;

describe('files of no known format', () => {
  it.each([
    ['', 'one:1:1: the file is empty'],
    ['{}', `one:1:1: the file has no known format (${known})`],
    ['[1, 2]', `one:1:1: the file has no known format (${known})`],
    ['a: 1\nb: 2\n', `one:1:1: the file has no known format (${known})`],
    ['<a/>', `one:1:1: the file has no known format (${known})`],
    [
      'slice: a\nsubstrate: { nodes: { n1: {} } }\n',
      'one:1:1: this is a slice file (name it with --update, and give an inventory to import)',
    ],
    [
      '{"version": 4, "terraform_version": "1.9.0", "resources": []}',
      "one:1:1: this is Terraform's state (give the output of 'terraform output -json')",
    ],
    ['x'.repeat(4 * 1024 * 1024 + 1), 'one:1:1: the file has 4194305 characters (at most 4194304)'],
    ['\n'.repeat(500_001), 'one:1:1: the file has 500001 brackets, separators and lines (at most 500000)'],
    ['[[[[[[[['.repeat(5000), 'one:1:1: the file is nested too deeply'],
  ])('the text %.30s', (text, message) => {
    expect(errorOf([text])).toBe(message);
  });

  it('a format that the user names must fit', () => {
    expect(errorOf(['{"a": 1}'], { format: 'terraform' })).toBe(
      'one:1:1: the file is not of format terraform (leave out --format to let the content decide)',
    );
  });
});

describe('XML', () => {
  it.each([
    ['<rspec>\n  <node>\n</rspec>', 'one:3:8: invalid XML: unexpected close tag.'],
    ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'one:1:36: invalid XML: undefined entity.'],
    ['<a>', 'one:1:3: invalid XML: unclosed tag: a'],
    [`${'<a>'.repeat(200)}`, 'one:1:301: the file is nested too deeply'],
    [
      rspec('request', ''),
      'one:1:1: an RSpec of type request, not a manifest (a manifest says which hosts you got: take the manifest of the running experiment)',
    ],
    [rspec('manifest', '<node/>'), "one:2:1: a node without 'client_id'"],
    [rspec('manifest', node('a', 'hostname="h" port="x"')), "one:2:31: 'port': expected a number, found 'x'"],
    [
      rspec('manifest', node('a', 'hostname="h" port="70000"')),
      "one:2:31: 'port': 70000 is no port (a port is a whole number from 1 to 65535)",
    ],
    [
      rspec('manifest', node('a', 'hostname="bad host"')),
      "one:2:1: node a: 'bad host' is neither a host name nor an IP address (write it like node1.example.org or 192.0.2.7; give the login and the port as 'user' and 'port')",
    ],
    [rspec('manifest', '<node client_id="sw"/>'), 'one:1:1: no file has a node to import'],
    [graph('<node/>'), "one:3:1: a node without 'id'"],
    [graph('<node id="a"/><node id="a"/>'), 'one:3:15: node a is there twice (give each node its own id)'],
    [
      graph('<node id="a"/>\n<edge source="a" target="b"/>'),
      'one:4:1: there is no node b (an edge joins two nodes of the graph)',
    ],
    [graph(''), 'one:1:1: the file has no devices'],
    ['<graphml><graph/>\n<graph/></graphml>', 'one:2:1: a second graph (give a file with one graph)'],
  ])('the text %.60s', (text, message) => {
    expect(errorOf([text])).toBe(message);
  });

  it('coordinates that are none are reported', () => {
    const keys = '<key id="d0" attr.name="Latitude"/><key id="d1" attr.name="Longitude"/>';
    const data = '<data key="d0">91</data><data key="d1">0</data>';
    expect(errorOf([`<graphml>${keys}<graph>\n<node id="a">${data}</node></graph></graphml>`])).toBe(
      'one:2:1: latitude 91 and longitude 0 are no coordinates (a latitude is from -90 to 90 degrees, a longitude from -180 to 180)',
    );
  });
});

describe('Ansible inventories', () => {
  it.each([
    ['[a:hosts]\nx\n[b:childs]\n', 'one:3:1: section [b:childs] is of an unknown kind (kinds are :children and :vars)'],
    ['[a]\nx y\n', 'one:2:1: expected name=value, found y'],
    ['[a]\nx y="z\n', 'one:2:1: the quote " is not closed'],
    ['[a:vars]\nx\n', 'one:2:1: expected name=value, found x'],
    ['[a:vars]\nx=1\n', 'one:1:1: [a:vars] names the group a, which has no section'],
    ['[a:children]\nb\n', 'one:2:1: [a:children] names the group b, which has no section'],
    ['[a:children]\nb\n[b:children]\na\n', 'one:1:1: group a contains itself'],
    ['[a b]\nx\n[c]\n', 'one:1:1: [a b] is no section (write it like [group])'],
    ['[a]\nx[1:z]\n', 'one:2:1: host x[1:z]: 1:z is no range (write it like web[01:20] or db[a:f])'],
    ['[a]\nx[1:9999]\n', 'one:2:1: host x[1:9999]: 1:9999 is no range (write it like web[01:20] or db[a:f])'],
    ['[a]\nx[1:90]y[1:90]\n', 'one:2:1: more than 4096 hosts'],
    ['[a]\nx ansible_port=ssh\n', 'one:2:1: host x: ssh is no port (a port is a whole number from 1 to 65535)'],
    [
      'all:\n  hosts:\n    x:\n      ansible_host: "{{ inventory_hostname }}.example.org"\n',
      'one:4:21: host x: {{ inventory_hostname }}.example.org is a template (write the value; templates are not evaluated)',
    ],
    ['all:\n  hosts: [x]\n', "one:2:10: 'hosts': expected a map of host names"],
    ['all:\n  hosts:\n    x:\n    x:\n', 'one:4:5: Map keys must be unique'],
    [
      '[a]\nx ansible_host=192.0.2.1\ny ansible_host=192.0.2.1\n',
      'one:3:1: nodes x and y are the same host 192.0.2.1 (a host is one node: give each its own host or port)',
    ],
    [
      '[a]\nx ansible_host=192.0.2.1\ny ansible_host=192.0.2.1 ansible_port=23\n',
      'one:3:1: nodes x and y have the same address 192.0.2.1, to which tunnel packets go (give the file with their addresses on a network, or import only one of them)',
    ],
  ])('the text %.60s', (text, message) => {
    expect(errorOf([text])).toBe(message);
  });
});

describe('topologies', () => {
  it.each([
    [lab('  links: [x]\n'), 'one:6:11: expected a link, like { endpoints: ["r1:eth1", "r2:eth1"] }'],
    [lab('  links: [{ endpoints: ["a:1"] }]\n'), 'one:6:11: a link with 1 endpoints (a link has two)'],
    [lab('  links: [{ endpoints: ["a:1", "c:1"] }]\n'), 'one:6:32: there is no node c (add it to topology.nodes)'],
    [lab('  links: [{ endpoints: ["a:1", "b"] }]\n'), 'one:6:32: b is no endpoint (write it like r1:eth1)'],
    ['a[0]="A"\nb\n', 'one:2:1: b is no line of a lab.conf (write it like r1[0]="A")'],
    ['a[0]="A"\na[0]="B"\n', 'one:2:1: interface 0 of a is already in collision domain A (number each interface once)'],
    ['a[0]="A-B"\n', 'one:1:1: A-B is no name of a collision domain (use letters and digits)'],
    ['shared[0]="A"\n', 'one:1:1: shared is a reserved name (give the device another name)'],
  ])('the text %.60s', (text, message) => {
    expect(errorOf([text])).toBe(message);
  });

  it('a network with more links than a VN may have is refused', () => {
    const lines = Array.from(
      { length: 4097 },
      (_, index) => `r${index}[0]="L${index}"\nr${index + 1}[1]="L${index}"\n`,
    );
    expect(errorOf([lines.join('')])).toBe(
      'one:1:1: the network has 4097 links, and a VN at most 4096 links and gateways (take a part of the network)',
    );
    const crowd = Array.from({ length: 400 }, (_, index) => `r${index}[0]="A"\n`);
    expect(errorOf([crowd.join('')])).toBe(
      'one:1:1: A joins 400 devices, which would be 79800 links (a VN has at most 4096 links and gateways)',
    );
  });
});

it('a file may be as large as a slice file', () => {
  const { slice } = importTexts([`[all]\nx ansible_host=192.0.2.1\n# ${'x'.repeat(2 * 1024 * 1024)}\n`]);
  expect([...slice.nodes.keys()]).toEqual(['x']);
});

it('arguments of SSH without a place in slice files are listed with their place', () => {
  const inventory = '[a]\nx\ny\n[all:vars]\nansible_ssh_common_args=-C -i k -J me@b\n';
  const listing = [
    { name: 'x', management_ip: '192.0.2.1', username: 'me', ssh_command: 'ssh -i k -A -F c me@192.0.2.1' },
  ];
  const remarksOf = (text: string) =>
    importTexts([text]).remarks.map(({ position, text: remark }) => [position.line, remark]);
  expect(remarksOf(inventory)).toContainEqual([5, 'not imported: SSH argument -C (2 times)']);
  expect(remarksOf(JSON.stringify(listing))).toEqual([[1, 'not imported: SSH argument -A']]);
});

it('a bastion keeps its key and login, in a new file and in an update', () => {
  const jump = `ansible_ssh_common_args='-o ProxyCommand="ssh -i ~/b -l me -W %h:%p bastion.example.org"'`;
  const { text, slice } = importTexts([`[all]\nx ansible_host=192.0.2.1 ansible_user=root ${jump}\n`]);
  const jumps = [{ host: 'bastion.example.org', user: 'me', key: '~/b' }];
  expect(slice.nodes.get('x')!.ssh).toEqual({ jump: jumps });
  const hosts = { file: 'hosts', text: `[all]\nx ansible_host=192.0.2.1 ${jump.replace('~/b', '~/c')}\n` };
  const updated = updateSlice([hosts], { file: 'slice.yaml', text });
  expect(updated.slice.nodes.get('x')!.ssh).toEqual({ jump: [{ ...jumps[0], key: '~/c' }] });
});

it('a jump host may have each form that slice files know', () => {
  const args = '-J me@2001:db8::7,ssh://b:2200,me@project@c';
  const { slice } = importTexts([`[all]\nx ansible_host=192.0.2.1 ansible_ssh_common_args='${args}'\n`]);
  expect(slice.nodes.get('x')!.ssh!.jump).toEqual([
    { host: '2001:db8::7', user: 'me' },
    { host: 'b', port: 2200 },
    { host: 'c', user: 'me@project' },
  ]);
});

describe('jump hosts', () => {
  const like = '(write it like me@bastion.example.org:22, an IPv6 address with a port like "me@[2001:db8::1]:22")';

  it.each([
    ['-J a@', `one:2:1: node x, jump host: 'a@' is not a jump host ${like}`],
    ['-J b:99999', `one:2:1: node x, jump host: 'b:99999' is not a jump host ${like}`],
    ['-o ProxyCommand=\\"ssh -i k -W %h:%p @b\\"', `one:2:1: node x, jump host: '@b' is not a jump host ${like}`],
    [
      '-J -x@b',
      "one:2:1: node x, jump host: '-x' is not a login name (1 to 64 of A-Z, a-z, 0-9 and ._@-, beginning with a letter, a digit or _)",
    ],
  ])('the arguments %s', (words, message) => {
    expect(errorOf([`[a]\nx ansible_ssh_common_args="${words}"\n`])).toBe(message);
  });
});

describe('several files', () => {
  it('files that contradict each other are refused, with both places', () => {
    expect(errorOf(['[a]\nx ansible_host=192.0.2.1\n', '[a]\n\nx ansible_host=192.0.2.2\n'])).toBe(
      'two:3:1: node x has the host 192.0.2.2 here, and 192.0.2.1 at one:2 (remove one of them)',
    );
  });

  it('a topology is imported alone', () => {
    expect(errorOf(['[a]\nx\n', 'a[0]="A"\n'])).toBe(
      'two: a topology cannot be imported together with other files (import the topology into a new file, then update that file from inventories (--update))',
    );
  });

  it('addresses without a host are refused', () => {
    expect(errorOf(['[{"name": "i", "node": "x", "network": "n", "ip_addr": "10.0.0.1"}]'])).toBe(
      'one:1:2: node x has addresses on networks, but no host (also give the file that says how SSH reaches it)',
    );
  });

  it('a node of FABRIC that is not ready is refused', () => {
    expect(errorOf(['[{"name": "x", "management_ip": "", "state": "Ticketed"}]'])).toBe(
      'one:1:2: node x has no management IP (state Ticketed) (wait until the slice is ready, and list its nodes again)',
    );
  });

  it('an unknown network is refused with the known ones', () => {
    const manifest = rspec(
      'manifest',
      '<node client_id="a"><services><login hostname="h"/></services><interface client_id="i"><ip address="10.0.0.1"/></interface></node>',
    );
    expect(errorOf([manifest], { network: 'lan' })).toBe("there is no network 'lan' (networks are i)");
  });
});
