import type { RawClient } from '../support/raw-client.ts';
import { answerIn } from './answers.ts';
import { type Arrival, type Bound, boundOf, isInOrder } from './bounds.ts';
import type { State } from './play.ts';
import { isRow, methodOf, paramsOf, type Row } from './requests.ts';

interface Answered extends Arrival {
  row: Row;
  answer: string;
  /** Those that were asked side by side. */
  wave: number;
}

/** What is answered without a wait, and what only waits for us or for upstream. */
const short: readonly Bound[] = ['at once', 'without a wait'];
const long: readonly Bound[] = ['within 30 s', 'when upstream goes on'];

/** The requests of one client on their way, and the answers in the order in which they came. */
export class Questions {
  readonly #client: RawClient;
  readonly #state: State;
  readonly #answered: Answered[] = [];
  readonly #waiting = new Map<Promise<void>, Bound>();
  #wave = 0;
  #releasedAt = Number.POSITIVE_INFINITY;

  constructor(client: RawClient, state: State) {
    this.#client = client;
    this.#state = state;
  }

  /** Those that the table has. */
  get rows(): Row[] {
    return Object.keys(this.#state.answers).filter(isRow);
  }

  /** Resolves once it is answered. */
  ask(row: Row): Promise<void> {
    const bound = this.#state.answers[row]?.split(', ')[1] as Bound;
    const wave = this.#wave;
    const since = performance.now();
    const params = paramsOf(row, this.#state.clientInfo);
    const asked = this.#client.request(methodOf(row), params).then((response) => {
      this.#waiting.delete(asked);
      const took = (performance.now() - since) / 1000;
      const released = since < this.#releasedAt && performance.now() > this.#releasedAt;
      this.#answered.push({ row, wave, bound, took, released, answer: answerIn(row, response) });
    });
    this.#waiting.set(asked, bound);
    return asked;
  }

  /** Upstream goes on from now. */
  release(): void {
    this.#releasedAt = performance.now();
  }

  /** Resolves once nothing is left to do but to wait. */
  async untilAllWait(): Promise<void> {
    await this.#answeredOf((bound) => short.includes(bound));
  }

  /** Resolves once only those wait that may do so for long. What is asked from now on is another wave. */
  async untilFewWait(): Promise<void> {
    await this.#answeredOf((bound) => !long.includes(bound));
    this.#wave += 1;
  }

  async untilNobodyWaits(): Promise<void> {
    await this.#answeredOf(() => true);
  }

  /** In the words of the table; a row that was asked more than once has a cell for each different answer. */
  answers(): Partial<Record<Row, string>> {
    const cells: Partial<Record<Row, string>> = {};
    for (const { row, answer, ...arrival } of this.#answered) {
      const cell = `${answer}, ${boundOf(arrival)}`;
      const { [row]: earlier = cell } = cells;
      cells[row] = earlier === cell ? cell : `${earlier}; ${cell}`;
    }
    return cells;
  }

  inOrder(): boolean {
    const waves = Array.from({ length: this.#wave + 1 }, (_, nth) => nth);
    return waves.every((nth) => isInOrder(this.#answered.filter(({ wave }) => wave === nth)));
  }

  async #answeredOf(isWanted: (bound: Bound) => boolean): Promise<void> {
    await Promise.all([...this.#waiting].filter(([, bound]) => isWanted(bound)).map(([asked]) => asked));
  }
}
