// SPDX-License-Identifier: GPL-2.0-or-later
import type { Runtime } from "./types.ts";

/** The adapter of the runtime that this is. */
export const runtime: Runtime =
  (await ("Deno" in globalThis ? import("./deno.ts") : import("./bun.ts"))).runtime;
