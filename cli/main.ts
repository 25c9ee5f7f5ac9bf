// SPDX-License-Identifier: GPL-2.0-or-later
/** `sipcore`, the command line. */
import process from "node:process";
import { run } from "./run.ts";

process.exitCode = await run(process.argv.slice(2));
