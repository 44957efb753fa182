import type { UpstreamNode } from '../../cluster/node.ts';
import { isMissingConnection } from '../../routing/jdbc/whereabouts.ts';
import type { WholeAnswer } from './answer/whole.ts';
import type { TargetChoice } from './target-choice.ts';

/** Most Brokers that are asked for a connection besides the first one, each after the one before has answered. */
const MOST_OTHERS = 7;
/** The same for a request that closes: no Broker says whether it had what was closed, so all of these are asked. */
const MOST_CLOSING = 2;

/** An answer, and who gave it. */
interface Given {
  readonly node: UpstreamNode;
  readonly answer: WholeAnswer;
}

/**
 * Asks further Brokers for the JDBC connection of one request, when the Broker that was asked does not have it.
 * Gateways choose alike while they see the same Brokers. One that has not seen a connection before, such as one that
 * was just restarted, may see others than the gateway that opened it did.
 */
export class ConnectionSearch {
  readonly #choice: TargetChoice;
  readonly #path: string;
  #left: UpstreamNode[] | null = null;
  #given: Given | null = null;

  constructor(choice: TargetChoice, path: string) {
    this.#choice = choice;
    this.#path = path;
  }

  /** The answer for the client if nobody else is asked: that of the Broker that has the connection, else the first. */
  get given(): Given | null {
    return this.#given;
  }

  /** Takes the answer of `node`, null if it could not be reached. Returns the Broker to ask next, or null. */
  after(node: UpstreamNode, answer: WholeAnswer | null): UpstreamNode | null {
    if (answer !== null) {
      if (this.#isElsewhere(answer)) this.#given ??= { node, answer };
      else {
        this.#given = { node, answer };
        this.#choice.remember(node, answer.head.status);
        return null;
      }
    }
    this.#left ??= this.#choice.connectionElsewhere(node, this.#choice.closes ? MOST_CLOSING : MOST_OTHERS);
    return this.#left.shift() ?? null;
  }

  /** Whether this may be the answer of a Broker that does not have the connection. */
  #isElsewhere({ head, body }: WholeAnswer): boolean {
    if (head.status >= 200 && head.status <= 299) return this.#choice.closes;
    return isMissingConnection(this.#path, body);
  }
}
