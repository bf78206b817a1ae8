import { describe, expect, it } from 'vitest';
import { importSlice } from '../../src/import/index.ts';
import { checkSlice } from '../../src/slicefile/index.ts';
import { inputs, linksIn, nodesIn, optionsOf, remarksIn, sourceOf } from './support/inputs.ts';

const imported = (...files: string[]) => importSlice(files.map(sourceOf), optionsOf(files[0]!));

describe('every input file', () => {
  const nodeLists = inputs.filter((file) => file !== 'fablib-interfaces.json');

  it('there is one of each format, and of each form of an Ansible inventory', () => {
    expect(inputs).toEqual([
      'ansible-hosts.ini',
      'ansible-hosts.yml',
      'ansible-list.json',
      'campus.clab.yml',
      'cloudlab-manifest.xml',
      'coast.xml',
      'fablib-interfaces.json',
      'fablib-nodes.json',
      'jfed-manifest.xml',
      'lab.conf',
      'ring.graphml',
      'terraform-output.json',
    ]);
  });

  it.each(nodeLists)('%s becomes a slice file without faults, and says what it left out', (file) => {
    const result = imported(file);
    expect(checkSlice(result.text, 'slice.yaml')).toHaveProperty('slice');
    expect(result.slice.vns[0]!.placements.has('initial')).toBe(true);
    expect(result.remarks.length).toBeGreaterThan(0);
    expect(result.text).toContain(`# Made by 'pl-vnm import' from ${file} (`);
  });

  it.each(nodeLists)('%s becomes the same text every time', (file) => {
    expect(imported(file).text).toBe(imported(file).text);
  });
});

describe('inventories', () => {
  it("FABlib's nodes have their login, and their interfaces the addresses for tunnels", () => {
    const result = imported('fablib-nodes.json', 'fablib-interfaces.json');
    const key = 'key /home/me/work/fabric_config/slice_key';
    expect(nodesIn(result)).toEqual({
      north: `debian@2001:db8:400:a1::11 ${key} address 10.129.1.2`,
      south: `debian@2001:db8:400:a2::12 ${key} address 10.129.2.2`,
      west: `debian@198.51.100.13 ${key} address 10.129.3.2`,
    });
    expect(result.text).toContain('ssh: { user: debian');
    expect(remarksIn(result)).toContain('fablib-nodes.json:5:18: not imported: cores (3 times)');
  });

  it('nodes of a GENI manifest send tunnel packets over the link that joins all of them', () => {
    const result = imported('cloudlab-manifest.xml');
    expect(nodesIn(result)).toEqual({
      'router-1': 'alice@hp001.utah.cloudlab.us:22 address 10.10.1.1',
      'router-2': 'alice@hp002.utah.cloudlab.us:22 address 10.10.1.2',
      gateway: 'alice@hp003.utah.cloudlab.us:22 address 10.10.1.3',
    });
    expect(remarksIn(result)).toContain(
      'cloudlab-manifest.xml:2:3: tunnels use the addresses on network lan0, which joins all nodes',
    );
    expect(remarksIn(result)).toContain('cloudlab-manifest.xml:12:7: not imported: node.services.emulab:console');
  });

  it('nodes behind one host of a manifest keep their ports, and get an address each', () => {
    expect(nodesIn(imported('jfed-manifest.xml'))).toEqual({
      node0: 'alice@n097-04a.wall2.ilabt.iminds.be:22',
      node1: 'alice@pc5.instageni.example.edu:30010 address 192.168.0.2',
      node2: 'alice@pc5.instageni.example.edu:30011 address 192.168.1.3',
    });
  });

  it('an Ansible inventory in INI and what ansible-inventory makes of it become the same nodes', () => {
    const ini = nodesIn(imported('ansible-hosts.ini'));
    expect(ini).toEqual({
      monitor: '192.0.2.9',
      'r01-example-org': 'vnm@r01.example.org',
      'r02-example-org': 'vnm@r02.example.org',
      'r03-example-org': 'vnm@r03.example.org',
      'spare-example-org': 'night-shift@spare.example.org:2200',
      'gw-a-example-org': 'root@gw-a.example.org:2222 key ~/.ssh/edge',
      'gw-b-example-org': 'root@192.0.2.22:2222 key ~/.ssh/edge',
    });
    expect(nodesIn(imported('ansible-list.json'))).toEqual(ini);
  });

  it('an Ansible inventory in YAML has the variables of its groups, and lists what has no meaning here', () => {
    const result = imported('ansible-hosts.yml');
    expect(nodesIn(result)).toEqual({
      'clab-campus-r1': 'vnm@172.20.20.11',
      'clab-campus-r2': 'vnm@172.20.20.12:2222',
      'clab-campus-gw1': 'root@172.20.20.21',
    });
    const remarks = remarksIn(result);
    expect(remarks).toContain(
      'ansible-hosts.yml:22:11: host clab-campus-here is not imported: its connection is local',
    );
    expect(remarks).toContain('ansible-hosts.yml:17:20: not imported: variable http_port');
    expect(remarks).toContain('ansible-hosts.yml:1:1: not imported: groups (linux, bridgeheads)');
  });

  it('outputs of Terraform with the same names are the same nodes, and sensitive ones are not read', () => {
    const result = imported('terraform-output.json');
    expect(nodesIn(result)).toEqual({
      lab1: 'ubuntu@198.51.100.21 address 10.0.1.21',
      lab2: 'ubuntu@198.51.100.22 address 10.0.1.22',
      gateway: '198.51.100.40 address 10.0.1.40',
      'router-1': '198.51.100.11 address 10.0.1.11',
      'router-2': '198.51.100.12 address 10.0.1.12',
    });
    expect(remarksIn(result)).toContain(
      'terraform-output.json:2:17: not imported: output cluster_id has no addresses of hosts',
    );
    expect(JSON.stringify(result.remarks) + result.text).not.toContain('do-not-read');
  });
});

describe('topologies', () => {
  it('a containerlab topology becomes routers and links; a bridge joins all at it', () => {
    const result = imported('campus.clab.yml');
    expect(result.slice.name).toBe('campus');
    expect(linksIn(result)).toEqual(['core-1 core-2', 'core-1 edge', 'core-2 edge', 'edge pc1', 'edge pc2', 'pc1 pc2']);
    expect(result.slice.vns[0]!.placements.get('initial')!.get('core-1')).toBe('core-1');
    expect(remarksIn(result)).toContain(
      'campus.clab.yml:40:7: link of edge to mgmt-net is not imported: it leaves the lab',
    );
    expect(remarksIn(result)).toContain('campus.clab.yml:37:7: sw joins 3 devices: it becomes 3 links');
  });

  it('a Kathara lab becomes routers; devices of one collision domain are neighbours', () => {
    const result = imported('lab.conf');
    expect(result.slice.name).toBe('two-sites');
    expect(linksIn(result)).toEqual(['r1 pc-1', 'r1 pc-2', 'pc-1 pc-2', 'r1 r2', 'r2 pc-3']);
    expect(remarksIn(result)).toContain('lab.conf:8:1: not imported: DEVICE[image] (2 times)');
    expect(remarksIn(result)).toContain('lab.conf:6:1: no links, because only one device is there: WAN (r2)');
  });

  it('a graph of the Topology Zoo becomes routers with latencies from their coordinates, marked as estimated', () => {
    const result = imported('ring.graphml');
    expect(result.slice.name).toBe('lake-ring');
    expect(linksIn(result)).toEqual([
      'zurich bern 0.48',
      'bern geneve 0.65',
      'zurich basel-region 0.38',
      'basel-region bern 0.34',
      'geneve geant',
    ]);
    expect(result.text).toContain('# Estimated from coordinates');
    expect(remarksIn(result)).toEqual([
      'ring.graphml:39:5: nodes outside the network are routers like the others: GÉANT, 5',
      'ring.graphml:16:7: not imported: data Country (2 times)',
      'ring.graphml:48:7: not imported: data LinkLabel (2 times)',
      'ring.graphml:1:1: names changed: Zürich is zurich, Bern is bern, Genève is geneve, Basel & Region is basel-region, GÉANT is geant',
      'ring.graphml:43:5: not imported, because no link joins them to the largest part: 5',
      'ring.graphml:50:5: not imported: further links between the same two devices (1)',
      'ring.graphml:39:5: no latencies to these, because they have no coordinates: GÉANT',
    ]);
  });

  it('a network of SNDlib becomes routers with latencies; x is the longitude', () => {
    const result = imported('coast.xml');
    expect(linksIn(result)).toEqual([
      'lisboa porto 1.37',
      'porto vigo 0.61',
      'vigo gijon 1.44',
      'gijon bilbao 1.11',
      'lisboa faro 1.08',
      'bilbao lisboa 3.63',
    ]);
    expect(remarksIn(result)).toContain('coast.xml:27:2: not imported: demands');
  });

  it('routers of a topology can get gateways and end hosts, with flows between them', () => {
    const result = importSlice([sourceOf('ring.graphml')], { endHosts: ['zurich', 'geant'] });
    const [vn] = result.slice.vns;
    expect(vn!.gateways).toEqual([
      { name: 'gw-zurich', node: 'gw-zurich', router: 'zurich' },
      { name: 'gw-geant', node: 'gw-geant', router: 'geant' },
    ]);
    expect(vn!.flows.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'host-zurich host-geant',
      'host-geant host-zurich',
    ]);
    expect(() => importSlice([sourceOf('ring.graphml')], { endHosts: ['zurch'] })).toThrow(
      "the topology has no router 'zurch' for an end host",
    );
  });
});
