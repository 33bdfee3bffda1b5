import type { SpawnedBridge } from '../support/spawn-client.ts';
import type { Stage } from './stage.ts';
import type { Story } from './story.ts';

const hour = 3_600_000;

interface Telling {
  stage: Stage;
  story: Story;
  realBrowser: boolean;
}

/** From the first start to a restart after a crash. Every count comes from the server's own log. */
export async function tellLifeOfConnection(telling: Telling): Promise<void> {
  const bridge = await start(telling);
  await signIn(telling, bridge);
  const pageId = await work(telling, bridge);
  await outliveAccessToken(telling, bridge, pageId);
  await surviveCrash(telling, bridge, pageId);
}

async function start({ stage, story }: Telling): Promise<SpawnedBridge> {
  story.chapter('A client starts the bridge');
  const bridge = await story.step('spawned, and "initialize" is answered', stage.spawn);
  story.fact('the server has not been asked for anything yet', stage.upstream.requests.length, 0);
  return bridge;
}

async function signIn({ stage, story, realBrowser }: Telling, { client, call }: SpawnedBridge): Promise<void> {
  story.chapter('The person signs in, once');
  if (realBrowser) story.say('   your browser opens: press Allow there');
  const who = realBrowser ? 'you approve' : 'the person approves';
  const tools = await story.step(`a browser tab opens, ${who}, and the tools arrive`, async () => {
    let listed = (await client.listTools()).tools;
    // A person may take longer than a client waits for its list; the bridge's own tool waits on.
    while (listed[0]?.name === 'notion-connect') {
      const { pendingSignIn } = (await stage.home.record()) ?? {};
      if (pendingSignIn?.prepared) story.say(`   no tab? open this link: ${pendingSignIn.prepared.url}`);
      await call('notion-connect');
      listed = (await client.listTools()).tools;
    }
    return listed;
  });
  story.fact(
    'the tools are those of the server',
    tools.some(({ name }) => name === 'notion-search'),
    true,
  );
  factsOfOneSignIn({ stage, story, realBrowser });
}

/** Gives the id of the page that it created. */
async function work({ stage, story }: Telling, { client, call }: SpawnedBridge): Promise<string> {
  story.chapter('Work');
  await story.step('list the tools', () => client.listTools());
  const found = await story.step('search for "release"', () => call('notion-search', { query: 'release' }));
  story.fact('the release checklist is found', /Release checklist/.test(found.text), true);
  const page = { properties: { title: 'Hello from the demo' }, content: 'Written through the bridge.' };
  const created = await story.step('create a page', () => call('notion-create-pages', { pages: [page] }));
  const { pages } = JSON.parse(created.text) as { pages: { id: string }[] };
  const id = pages[0]?.id ?? '';
  const fetched = await story.step('fetch it', () => call('notion-fetch', { id }));
  story.fact('it reads back as it was written', textOf(fetched), page.content);
  story.fact('no refresh was needed', refreshes(stage), 0);
  return id;
}

async function outliveAccessToken({ stage, story, realBrowser }: Telling, { call }: SpawnedBridge, id: string) {
  story.chapter('An hour passes, and the access token expires');
  stage.upstream.clock.advance(hour);
  story.say("   (by the server's clock; to the bridge the token is new, so it waits 1 s first)");
  const fetched = await story.step('fetch the page again', () => call('notion-fetch', { id }));
  story.fact('the call succeeded; the client noticed nothing', fetched.isError, false);
  story.fact('the server saw one refresh', refreshes(stage), 1);
  const clients = stage.upstream.requests
    .filter(({ endpoint }) => endpoint === 'token')
    .map(({ clientId }) => clientId);
  story.fact('by the client that the sign-in registered', new Set(clients).size, 1);
  factsOfOneSignIn({ stage, story, realBrowser });
}

async function surviveCrash({ stage, story, realBrowser }: Telling, bridge: SpawnedBridge, id: string): Promise<void> {
  story.chapter('The bridge is killed, and the client starts it again');
  await story.step(`kill -9 ${bridge.pid}`, () => stage.kill(bridge));
  const next = await story.step('spawned again, and "initialize" is answered', stage.spawn);
  const fetched = await story.step('fetch the page', () => next.call('notion-fetch', { id }));
  story.fact('the page is there', fetched.isError, false);
  factsOfOneSignIn({ stage, story, realBrowser });
  story.fact('"notion-mcp-bridge status" says connected', await stage.status(), 'connected');
}

function factsOfOneSignIn({ stage: { upstream, home }, story, realBrowser }: Telling): void {
  const counts = {
    registrations: upstream.count({ endpoint: 'register' }),
    'sign-ins': upstream.count({ grantType: 'authorization_code' }),
    ...(realBrowser ? {} : { 'browser tabs': home.browser.tabs.length }),
  };
  const all = Object.entries(counts);
  const seen = all.map(([name, count]) => `${name}: ${count}`).join(', ');
  story.fact(
    `one sign-in so far (${seen})`,
    new Set(all.map(([, count]) => count)).size === 1 && all[0]?.[1] === 1,
    true,
  );
}

function refreshes({ upstream }: Stage): number {
  return upstream.count({ grantType: 'refresh_token' });
}

function textOf({ text, isError }: { text: string; isError: boolean }): unknown {
  return isError ? text : (JSON.parse(text) as { text: string }).text;
}
