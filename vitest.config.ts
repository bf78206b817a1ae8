import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole programs on testbeds of their own, minutes each; `npm run test:all` has them, and so has CI. */
const long = [
  'test/soak/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/controller/killed-checkpoints-everywhere.test.ts',
  'test/experiment/{killed,ready-runs}.test.ts',
  'test/system/{bastion,carried-over,checkpoint-moves,collisions,commands-page,concurrency,confinement,damaged}.test.ts',
  'test/system/{container,deb,global-install}.test.ts',
  'test/system/{dead-node,demo,exec,experiments,experiments-on-nodes}.test.ts',
  'test/system/{failures,firewalls,flow,forward,full-database,gallery,guest-moves,inside,interrupts}.test.ts',
  'test/system/{iperf,jobs,narrow-path,openssh}.test.ts',
  'test/system/{hold-control,large,living,living-moves,machines,parallel-moves,reconcile,recovery,router-commands,vroom}.test.ts',
];

/** What needs root, makes network namespaces, starts processes, or takes seconds of a processor. */
const onThisMachine = [
  'test/agent/!(armed-timeline|collisions|known-features|parse|policy|route-dump|turns|unconfirmed|watch-tally).test.ts',
  'test/agent/inside/commands.test.ts',
  'test/agent/machines/machine.test.ts',
  'test/experiment/{control/at,folder-files,iperf3,program}.test.ts',
  'test/agent/userspace/{applying,underlay}.test.ts',
  'test/{contract,system,transport}/**/*.test.ts',
  'test/testbed/*.test.ts',
  'test/cli/{config,launch,leave,man,shells,streams}.test.ts',
  'test/controller/{following-packets,killed,killed-checkpoints,killed-flows,killed-groups,killed-guests,killed-living-moves,killed-moves,large-plan}.test.ts',
  'test/fuzz/{agent-process,files,messages}.test.ts',
  'test/service/log.test.ts',
  'test/service/jobs/year.test.ts',
  'test/import/hostile.test.ts',
  'test/slicefile/properties.test.ts',
  'test/model/process-start.test.ts',
  'test/store/{inspect,upgrades}.test.ts',
];

/** What mostly waits begins first, so that short ones run beside it; whole programs on testbeds of their own come last. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      if (moduleId.includes('/test/soak/')) return 0;
      return /\/test\/(system|chaos)\//.test(moduleId) ? 2 : 1;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

const limits = { testTimeout: 240_000, hookTimeout: 240_000, maxConcurrency: 40 };

export default defineConfig({
  test: {
    // Whole programs on testbeds mostly wait.
    maxWorkers: 3,
    sequence: { sequencer: InOrder },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          // The tests of a worker share what they import, which else takes longer than they do.
          exclude: [...onThisMachine, ...long],
          isolate: false,
          ...limits,
        },
      },
      { test: { name: 'machine', include: onThisMachine, exclude: long, ...limits } },
      { test: { name: 'long', include: long, ...limits } },
    ],
  },
});
