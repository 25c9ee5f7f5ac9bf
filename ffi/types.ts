// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The words of the border between TypeScript and C. A row of a table is a C prototype in these words; each adapter
 * knows how its runtime spells them, and the types of the functions follow from the row.
 */

/** Marks the serial of one noun, so that a mixer given to an invitation's function does not compile. */
declare const noun: unique symbol;

/** The number that stands for an object in C: never used twice, safe to hand over at any time. 0 is none. */
export type Serial<Noun extends string> = number & { readonly [noun]: Noun };

/** NUL-terminated UTF-8, made by `cstring()`. */
export type CString = Uint8Array<ArrayBuffer> & { readonly [noun]: "cstring" };

/** The words with the TypeScript type that a function takes or gives for each. */
interface Words {
  void: void;
  i32: number;
  u32: number;
  f64: number;
  text: CString;
  /** Read by C during the call; its size is the next argument. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Written by C during the call; its capacity is the next argument. */
  buffer: Uint8Array<ArrayBuffer>;
  /** One pj_status_t, written by C. */
  status: Int32Array<ArrayBuffer>;
  /** Memory that C never frees, for `Runtime.map()`; a result only. */
  memory: object | number | null;
  /** What `sc_bell_start` calls; only the adapter that needs it makes one. */
  callback: object | number;
}

/** A word of the border. */
export type Word = keyof Words | `serial:${string}`;

/** A C prototype. `nonblocking` rows wait in a thread of the runtime's and answer with a promise. */
export interface SymbolRow {
  readonly args: readonly Word[];
  readonly result: Word;
  readonly nonblocking?: true;
}

/** Functions by their C names. */
export type SymbolTable = Readonly<Record<string, SymbolRow>>;

type TypeOf<W extends Word> = W extends `serial:${infer Noun}` ? Serial<Noun>
  : W extends keyof Words ? Words[W]
  : never;

type ArgsOf<A extends readonly Word[]> = { -readonly [I in keyof A]: TypeOf<A[I]> };

type ResultOf<R extends SymbolRow> = R extends { nonblocking: true } ? Promise<TypeOf<R["result"]>>
  : TypeOf<R["result"]>;

/** The functions that a table describes. */
export type Native<T extends SymbolTable> = {
  readonly [K in keyof T]: (...args: ArgsOf<T[K]["args"]>) => ResultOf<T[K]>;
};

/** Rings whenever there is something to drain. */
export interface Bell {
  /** Ends the ringing; the library's own `sc_bell_stop` comes first. */
  close(): void;
}

/** What differs between the runtimes: each adapter is one of these. */
export interface Runtime {
  readonly name: "deno" | "bun";
  /** Throws an Error that says why when this runtime cannot carry the library. */
  check(): void;
  /** Opens the shared library and binds every row; throws what the runtime throws. */
  open<T extends SymbolTable>(path: string, table: T): Native<T>;
  /** Calls `ring` on the JavaScript thread whenever the library has something to drain; keeps the process alive. */
  onBell(native: BellFunctions, ring: () => void): Bell;
  /** Memory of C's that is never freed; null where the runtime may not look at it. */
  map(memory: object | number, size: number): ArrayBuffer | null;
  /** The environment variable, or null when it is unset or may not be read without asking. */
  environment(name: string): string | null;
  /** Whether that environment variable may be read without asking. */
  mayRead(name: string): boolean;
  /** How the user grants what was refused: the use of that file, the reading of that variable. */
  readonly grants: { readonly file: (path: string) => string; readonly variable: (name: string) => string };
  /** Whether this is a single-file executable whose own files can be opened by the runtime alone. */
  readonly isExecutable: boolean;
  /** The shared library inside of it, as `open()` takes it; null: it has none. */
  embeddedFile(): string | null;
  /** Whether a UDP socket of node:dgram may be bound to that IP address, without asking. */
  mayBind(address: string): boolean;
}

/** The rows that a bell needs. */
export interface BellFunctions {
  sc_bell_run(): number;
  sc_bell_wait(run: number): Promise<number>;
  sc_bell_start(callback: object | number): number;
}
