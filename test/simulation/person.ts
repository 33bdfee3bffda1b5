import type { CallbackAnswer } from '../../src/oauth/loopback.ts';
import type { World } from './world.ts';

/** The one who has a browser. What they do is part of the seed. */
export interface Person {
  /** A tab has opened, or a link was shown. */
  sees(url: string): void;
  /** A call was answered with a link. */
  isToldOf(url: string): void;
  /** From here on every link is followed, and approved at once. */
  becomeCooperative(): void;
}

type Decision = 'allow' | 'deny';

const minute = 60_000;

export function createPerson(world: World): Person {
  const { machine, chance, server, oracle } = world;
  const { time, story } = machine;
  const busyWith = new Set<string>();
  let cooperative = false;

  const after = (delay: number): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        // Nobody sits at a machine that sleeps.
        if (machine.isAsleep()) time.at(time.now() + 10 * minute, look);
        else resolve();
      };
      time.at(time.now() + delay, look);
    });

  const sees = (url: string) => {
    const way = cooperative
      ? 'approves'
      : chance.weighted({ approves: 50, later: 15, twice: 10, denies: 7, ignores: 10, closes: 8 });
    void act(url, way);
  };

  const act = async (url: string, way: 'approves' | 'later' | 'twice' | 'denies' | 'ignores' | 'closes') => {
    if (way === 'ignores' || way === 'closes') return story.tell('person', `${way} the tab`);
    busyWith.add(url);
    const delay = way === 'later' ? chance.around(60 * minute) : chance.around(20_000);
    await after(delay);
    await visit(url, way === 'denies' ? 'deny' : 'allow');
    if (way === 'twice') {
      await after(chance.around(20_000));
      await visit(url, 'allow');
    }
    busyWith.delete(url);
  };

  /** Opens the authorization page, decides, and follows wherever the redirects lead. */
  const visit = async (url: string, decision: Decision): Promise<void> => {
    const form = new URLSearchParams({ decision, user: 'ada' }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const before = server.kv.names('grant:');
    const { departure } = await server.handle({ method: 'POST', url: new URL(url), headers, body: form });
    const left = new Set(server.kv.names('grant:'));
    const replaced = before.filter((name) => !left.has(name)).map((name) => name.slice('grant:'.length));
    const tellOracle = (how: string) => {
      for (const grant of replaced) oracle.ended(grant, `the person approved once more, ${how}`);
    };
    tellOracle('a moment ago');
    const { location } = departure.headers;
    if (location === undefined) return story.tell('person', `sees an error page of the server (${departure.status})`);
    story.tell('person', decision === 'allow' ? 'approves' : 'declines');
    const answer = await goTo(new URL(location), 3);
    // Where somebody listened, the second approval has to end as well as the first.
    if (!answer) tellOracle('when nobody listened any more');
    else if ('redirectTo' in answer || answer.page.kind !== 'connected')
      tellOracle('and that code could not be redeemed');
    else for (const grant of replaced) oracle.survived(grant);
    if (answer) await take(answer, decision);
  };

  const goTo = async (url: URL, tries: number): Promise<CallbackAnswer | undefined> => {
    const answer = await machine.redirect(url);
    if (answer) return answer;
    story.tell('person', `sees that nothing answers on port ${url.port}`);
    if (tries === 0) return undefined;
    await after(chance.around(15_000));
    return goTo(url, tries - 1);
  };

  const take = async (answer: CallbackAnswer, decision: Decision): Promise<void> => {
    if ('redirectTo' in answer) return visit(answer.redirectTo, decision);
    story.tell('person', `sees the page "${answer.page.kind}" ${answer.page.problem ?? ''}`);
    if (answer.page.retryUrl === undefined || !(cooperative || chance.happens(0.8))) return;
    await after(chance.around(10_000));
    await visit(answer.page.retryUrl, decision);
  };

  return {
    sees,
    isToldOf: (url) => {
      if (busyWith.has(url) || !(cooperative || chance.happens(0.25))) return;
      void act(url, cooperative ? 'approves' : chance.weighted({ approves: 6, later: 2, denies: 1 }));
    },
    becomeCooperative: () => {
      cooperative = true;
      busyWith.clear();
    },
  };
}
