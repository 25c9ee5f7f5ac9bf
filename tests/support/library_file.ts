// SPDX-License-Identifier: GPL-2.0-or-later
/** The shared library that the tests run against. */
import process from "node:process";
import { layoutOf } from "../../scripts/build/layout.ts";

/** What SIPCORE_LIBRARY names, else what the build has left. */
export const libraryFile: string = process.env["SIPCORE_LIBRARY"] || layoutOf(false).library;
