import type { Fault } from '../support/upstream/faults.ts';
import type { World } from './world.ts';

/** What the client was told of a call: its result, that nobody knows, that it surely failed, or nothing at all. */
export type Told = 'done' | 'unknown' | 'refused' | 'nothing';

/** Something that goes wrong, and what may come of it. */
export interface Trouble {
  title: string;
  /** What may be told of a change. */
  change: readonly Told[];
  /** What may be told of a read, and of a change that may be made twice; `done` alone by default. */
  safe?: readonly Told[];
}

/** Meets one request. */
export interface RequestFault extends Trouble {
  fault: Fault;
}

/** Befalls the world. */
export interface Upheaval extends Trouble {
  /** Requests may be lost before anybody reads them. */
  unread?: true;
  /** It may come together with another one. */
  mixes?: true;
  /** How often it strikes at the most, each time at a moment of chance. */
  strikes?: number;
  /** `keys`: those of the requests that are about to be sent. */
  begin(world: World, keys: readonly string[]): Promise<Course> | Course;
}

/** How an upheaval goes on. */
export interface Course {
  strike?(): Promise<unknown> | unknown;
  /**
   * Resolves once upstream has none of the requests, and cannot get one before `end`. Those that give up do it then, and
   * are never executed (P8).
   */
  waiting?(): Promise<unknown>;
  end?(): Promise<unknown> | unknown;
}
