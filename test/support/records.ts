import {
  type ConnectionRecord,
  emptyRecord,
  type Grant,
  type RefreshUnderWay,
  type TokenSet,
} from '../../src/credentials/record.ts';

export const upstreamUrl = 'https://upstream.example/mcp';
export const hour = 3_600_000;
/** When the tokens below were issued. */
export const issuedAt = Date.UTC(2026, 0, 1);

export type Connected = ConnectionRecord & { grant: Grant };

/** A record that is connected since `issuedAt`, with tokens for an hour. */
export function connectedRecord(grant: Partial<Grant> = {}, tokens: Partial<TokenSet> = {}): Connected {
  return {
    ...emptyRecord(upstreamUrl),
    state: 'connected',
    generation: 1,
    grant: {
      issuer: 'https://as.example',
      resource: upstreamUrl,
      authorizationServer: { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' },
      registration: { client_id: 'client-1', registeredAt: issuedAt },
      redirectUri: 'http://127.0.0.1:1/callback',
      tokens: {
        access_token: 'access-1',
        refresh_token: 'refresh-1',
        scope: 'default',
        issuedAt,
        expiresAt: issuedAt + hour,
        ...tokens,
      },
      rejections: [],
      authorizedAt: issuedAt,
      refreshedAt: issuedAt,
      identity: {},
      ...grant,
    },
  };
}

/** What a refresh leaves in the record while it is under way. */
export function refreshMark(mark: Partial<RefreshUnderWay> = {}): RefreshUnderWay {
  return { fingerprint: 'presented', owner: livingOwner, since: issuedAt + hour, ...mark };
}

/** In a place of its own, so that nobody can know it is gone. */
export const livingOwner = { nonce: 'living', pid: 1, place: 'another machine' };
