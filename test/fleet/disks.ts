import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fleet } from '../support/fleet.ts';
import { fillUp, makeReadOnly, mount } from '../support/mount.ts';
import { recordPath, storeFolder } from '../support/stored-record.ts';
import { both, type Scenario, signIn } from './scenario.ts';

const damages: Record<string, (path: string) => Promise<void>> = {
  'is damaged': (path) => writeFile(path, '\u0000\u0001 not JSON at all'),
  'was cut short': async (path) => truncate(path, (await readFile(path)).length - 20),
  'is empty': (path) => truncate(path, 0),
};

/** A disk that refuses, and a record that is none (product.md 5, 6.2). */
export const disks: Scenario[] = [
  {
    title: 'on a full disk use their token to its end, refresh nothing, and lose nothing',
    makes: both,
    fromNothing: true,
    needsMount: true,
    play: async (fleet) => {
      const folder = storeFolder(fleet.home);
      await mkdir(folder, { mode: 0o700 });
      const unmount = mount(folder, 'size=4m,mode=0700');
      if (!unmount) throw new Error('cannot mount here');
      fleet.atEnd(unmount);
      const filler = join(folder, 'filler');
      await meetRefusal(fleet, async () => {
        await fillUp(filler, 0);
        return () => rm(filler);
      });
    },
  },
  {
    title: 'on a folder that became read-only use their token to its end, refresh nothing, and lose nothing',
    makes: both,
    fromNothing: true,
    needsMount: true,
    play: async (fleet) => {
      await meetRefusal(fleet, async () => makeReadOnly(storeFolder(fleet.home)));
      fleet.demand('there was no refresh before it could be stored', fleet.counts().refreshes === 1);
    },
  },
  ...Object.entries(damages).map(
    ([name, damage]): Scenario => ({
      title: `whose record ${name} move it aside once, share one tab, and work on once the person approves`,
      makes: both,
      tabs: () => 2,
      play: async (fleet) => {
        await damage(await recordPath(fleet.home));
        // Nobody is signed in now, and a first sign-in is waited for up to 45 s (product.md 4).
        const calls = fleet.everybody({ bound: 55_000 });
        await fleet.approve(2);
        await calls;
        const aside = (await fleet.home.files()).filter((file) => file.includes('.corrupt-'));
        fleet.demand('it was moved aside once', aside.length === 1);
      },
    }),
  ),
];

/** `refuse` makes the disk refuse every write, and gives the function that ends it. */
async function meetRefusal(fleet: Fleet, refuse: () => Promise<() => unknown>): Promise<void> {
  await signIn(fleet, await fleet.spawn());
  // Nobody may renew the ageing token in the moment before the disk refuses.
  const members = fleet.members;
  await fleet.stop(members);
  await fleet.age();
  const relent = await refuse();
  fleet.wake(members);
  for (let round = 0; round < 3; round += 1) await fleet.everybody();
  await fleet.endAccessTokens();
  await fleet.everybody({ may: ['disk trouble'] });
  const { refreshes } = fleet.counts();
  const generation = (await fleet.home.record())?.generation;
  // A full disk may get a little room again, when another file is written anew; then a refresh is marked and stored.
  fleet.demand('no refresh was sent whose answer could not be stored', generation === 1 + refreshes);
  await relent();
  await fleet.everybody();
}
