// SPDX-License-Identifier: GPL-2.0-or-later
/** For `deno test --preload`: test files get node-test.ts in the place of `node:test`. */
import * as module from "node:module";

type Resolve = (specifier: string, context: { parentURL?: string }) => { url: string };
/** Not in every declaration of node:module. */
const { registerHooks } = module as unknown as {
  registerHooks(hooks: {
    resolve(specifier: string, context: { parentURL?: string }, next: Resolve): object;
  }): void;
};

const standIn = new URL("./node-test.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "node:test" || context.parentURL === standIn) return next(specifier, context);
    return { url: standIn, shortCircuit: true };
  },
});
