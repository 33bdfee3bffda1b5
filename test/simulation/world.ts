import type { ConnectionRecord } from '../../src/credentials/record.ts';
import type { Chance } from './chance.ts';
import { recordOn, refusal } from './disk.ts';
import { createLedger, type Issued, type Ledger } from './ledger.ts';
import { createMachine, type Machine } from './machine.ts';
import { createNetwork, type Network } from './network.ts';
import { createOracle, type Oracle } from './oracle.ts';
import { createPerson, type Person } from './person.ts';
import type { SimulatedServer } from './server.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';
import { createWatch, type Watch } from './watch.ts';

/** One machine, one server, one person, and those who look on. */
export interface World {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly story: Story;
  readonly machine: Machine;
  readonly server: SimulatedServer;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly oracle: Oracle;
  readonly watch: Watch;
  readonly person: Person;
  /** The record as it is on the disk. */
  record(): ConnectionRecord | undefined;
  nextId(): string;
}

interface WorldParts {
  time: VirtualTime;
  chance: Chance;
  story: Story;
  server: SimulatedServer;
}

export function createWorld({ time, chance, story, server }: WorldParts): World {
  const { now } = time;
  let ids = 0;
  const machine = createMachine(time, chance, story);
  const { disk, lock } = machine;
  const record = () => recordOn(disk);
  const isCovered = (one: Issued) => server.kv.peek(one.accessKey) !== undefined;
  const watch: Watch = createWatch({
    server,
    isCovered,
    isClockRight: () => machine.wall() === now(),
    time,
    trouble: () => (disk.state === 'fine' ? String(machine.naps()) : undefined),
    story,
    wall: machine.wall,
    record,
    ledger: () => ledger,
    oracle: () => oracle,
  });
  const ledger = createLedger(now, watch);
  const oracle = createOracle(server, ledger, now);
  const network = createNetwork({ machine, server, ledger, chance });
  lock.refusal = () => refusal(disk, 'lock');
  disk.onWrite = (after, before, by) => watch.written({ after, before, by });
  lock.onRobbery = () => watch.passes('locks taken from a process that lives');
  const parts = { time, chance, story, machine, server, network, ledger, oracle, watch, record };
  const world: World = {
    ...parts,
    nextId: () => String(++ids),
    get person() {
      return person;
    },
  };
  const person = createPerson(world);
  return world;
}
