import type { Endpoint } from '../support/upstream/request-log.ts';
import type { Chance } from './chance.ts';
import type { Departure } from './server.ts';

/** What the way to the server and back does to one exchange. */
export type Fate =
  | { kind: 'passes' }
  | { kind: 'no connection' }
  /** `silent`: nobody tells the client; otherwise the connection is reset. */
  | { kind: 'request lost'; silent: boolean }
  | { kind: 'response lost'; silent: boolean }
  /** Somebody in front of the server answers in its place, before or after it has done the work. */
  | { kind: 'replaced'; handled: boolean; answer: Departure };

/** How likely each mishap is while this weather lasts. */
export interface Weather {
  name: string;
  noConnection: number;
  requestLost: number;
  responseLost: number;
  replaced: number;
  /** How long one way takes on average, ms. */
  delay: number;
  /** Which endpoints it hits. */
  hits(endpoint: Endpoint): boolean;
}

const always = () => true;
const tokens = (endpoint: Endpoint) => endpoint === 'token';
const resource = (endpoint: Endpoint) => endpoint === 'mcp';

export const clear: Weather = {
  name: 'clear',
  noConnection: 0,
  requestLost: 0,
  responseLost: 0,
  replaced: 0,
  delay: 40,
  hits: always,
};

/** The bad weathers, by how often they come. */
export const badWeathers: readonly Weather[] = [
  { ...clear, name: 'offline', noConnection: 1 },
  { ...clear, name: 'offline', noConnection: 1 },
  { ...clear, name: 'a train ride', noConnection: 0.3, requestLost: 0.15, responseLost: 0.1, delay: 2_000 },
  { ...clear, name: 'a slow network', delay: 12_000 },
  { ...clear, name: 'a token endpoint that answers 429, 5xx and HTML', replaced: 0.7, hits: tokens },
  { ...clear, name: 'a token endpoint that takes 20 s', delay: 20_000, hits: tokens },
  { ...clear, name: 'a token endpoint that loses answers', responseLost: 0.5, requestLost: 0.2, hits: tokens },
  { ...clear, name: 'an upstream that answers 5xx', replaced: 0.6, hits: resource },
  { ...clear, name: 'servers that are down', noConnection: 0.5, replaced: 0.5 },
];

export function fateIn(weather: Weather, endpoint: Endpoint, chance: Chance): Fate {
  if (!weather.hits(endpoint)) return { kind: 'passes' };
  if (chance.happens(weather.noConnection)) return { kind: 'no connection' };
  if (chance.happens(weather.requestLost)) return { kind: 'request lost', silent: chance.happens(0.5) };
  if (chance.happens(weather.responseLost)) return { kind: 'response lost', silent: chance.happens(0.5) };
  if (!chance.happens(weather.replaced)) return { kind: 'passes' };
  return { kind: 'replaced', ...chance.pick(replacements) };
}

const html = { 'content-type': 'text/html' };
const json = { 'content-type': 'application/json' };
const badGateway = '<!doctype html><h1>502 Bad gateway</h1>';

/** What was handled before it was replaced is a lost response to a refresh, so that is the rarer kind. */
const replacements: readonly { handled: boolean; answer: Departure }[] = [
  { handled: false, answer: { status: 503, headers: {}, body: '' } },
  { handled: false, answer: { status: 503, headers: { ...json, 'retry-after': '20' }, body: '{}' } },
  { handled: false, answer: { status: 429, headers: { ...json, 'retry-after': '90' }, body: '{"error":"slow_down"}' } },
  { handled: false, answer: { status: 429, headers: html, body: 'too many' } },
  { handled: false, answer: { status: 500, headers: html, body: badGateway } },
  { handled: false, answer: { status: 400, headers: json, body: '{"error":"temporarily_unavailable"}' } },
  { handled: false, answer: { status: 200, headers: html, body: badGateway } },
  { handled: false, answer: { status: 200, headers: json, body: '{"access_token":"ey' } },
  { handled: true, answer: { status: 502, headers: html, body: badGateway } },
];
