// SPDX-License-Identifier: GPL-2.0-or-later
/** What the command line says: lines for people, or one JSON object a line for programs. */

/** What JSON can hold. */
export type Fact = string | number | boolean | null | readonly Fact[] | { readonly [name: string]: Fact };

/** Where text goes. */
export type Write = (text: string) => void;

export class Output {
  readonly #isJSON: boolean;
  readonly #out: Write;
  readonly #err: Write;

  constructor(isJSON: boolean, out: Write, err: Write) {
    this.#isJSON = isJSON;
    this.#out = out;
    this.#err = err;
  }

  /** Something has happened: its name and facts for programs, a line for people; null: nothing they want to read. */
  event(
    name: string,
    facts: Readonly<Record<string, Fact>>,
    text: string | null,
    time: Date = new Date(),
  ): void {
    if (this.#isJSON) this.#out(`${JSON.stringify({ event: name, time: time.toISOString(), ...facts })}\n`);
    else if (text !== null) this.#out(`${text}\n`);
  }

  /** A remark beside the results. */
  remark(text: string): void {
    this.#err(`${text}\n`);
  }
}
