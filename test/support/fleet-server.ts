import { OtherMake, visit } from './other-make.ts';
import { approve } from './upstream/browser.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from './upstream/upstream.ts';

/** `strict` is what live Notion is reported to do (notion-wire.md); `of another make` is oidc-provider, which is strict, too. */
export type Make = 'lenient' | 'strict' | 'of another make';

type Shared = 'url' | 'faults' | 'requests' | 'count' | 'waitFor' | 'unused' | 'workspace' | 'expireAccessTokens';

/** What a fleet needs of a server, whoever made it. */
export interface FleetServer extends Pick<Upstream, Shared | 'revokeGrants'>, AsyncDisposable {
  /** The person says yes in the tab; resolves with the page that they see in the end. */
  approve(url: string): Promise<string>;
  /** What only the embedded server of Notion's make can do. @throws Error at the other make */
  readonly embedded: Upstream;
}

export async function openFleetServer(make: Make, options: UpstreamOptions = {}): Promise<FleetServer> {
  if (make !== 'of another make') {
    const upstream = await startUpstream({ ...options, mode: make });
    return Object.assign(upstream, { embedded: upstream, approve: async (url: string) => (await approve(url)).body });
  }
  if (Object.keys(options).length > 0) throw new Error('the server of another make takes no options');
  const other = await OtherMake.open();
  const refuse = () => {
    throw new Error('the server of another make cannot do that');
  };
  return Object.defineProperty(Object.assign(other, { approve: visit }), 'embedded', { get: refuse }) as FleetServer &
    OtherMake;
}
