// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A program for library_test.ts: opens the library, since a process opens one only, and prints what came of it as
 * JSON. Its arguments are the values of `libraryPath`, one call each; none: one call with null.
 */
import process from "node:process";
import { openedLibrary, openLibrary } from "../../ffi/library.ts";
import { LibraryError } from "../../ffi/library_error.ts";

const args = process.argv.slice(2);
const before = openedLibrary();
try {
  const opened = (args.length > 0 ? args : [null]).map((path) => openLibrary(path));
  const abi = opened[0]!.sc_abi();
  const same = opened.every((library) => library === opened[0] && library === openedLibrary());
  console.log(JSON.stringify({ abi, same, before }));
} catch (error) {
  if (!(error instanceof LibraryError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message, after: openedLibrary() }));
}
