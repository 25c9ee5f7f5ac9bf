// SPDX-License-Identifier: GPL-2.0-or-later
/** Where the shared library may be, in each way in which sipcore is used. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "./runtime.ts";

/** A file to try, or why there is none in that place. */
export interface Place {
  /** In words, such as "the option libraryPath". */
  readonly source: string;
  /** null: nothing is there to try, for the `reason`. */
  readonly path: string | null;
  readonly reason: string;
  /** What the user can do about it. */
  readonly remedy: string;
}

const variable = "SIPCORE_LIBRARY";
const naming = `name the file in the environment variable ${variable} or in the option libraryPath`;

function fileName(): string {
  return process.platform === "darwin" ? "libsipcore.dylib" : "libsipcore.so";
}

/** Whether this module is one of an installed package, and not of the source tree. */
const isInstalled = import.meta.url.includes("/node_modules/");
/** A module from the web has no files beside it. */
const isFile = import.meta.url.startsWith("file:");

/** The variable as a place; null where it names none. */
function named(): Place | null {
  const path = runtime.environment(variable);
  return path
    ? { source: `the environment variable ${variable}`, path, reason: "", remedy: `correct ${variable}` }
    : null;
}

/** That the variable names none, for the message. */
function unnamed(): Place {
  const reason = runtime.mayRead(variable)
    ? "not set"
    : `not looked at: that is not allowed (${runtime.grants.variable(variable)})`;
  return { source: `the environment variable ${variable}`, path: null, reason, remedy: "" };
}

/** The file that the bundler has put into a single-file executable. */
function embedded(): Place[] {
  if (!runtime.isExecutable) return [];
  const path = runtime.embeddedFile();
  return [{
    source: "this executable",
    path,
    reason: "the library was not there when it was compiled",
    remedy: path === null
      ? `compile it where the library is installed or built, or ${naming}`
      : "let TMPDIR name a folder that this user may write to and run programs from, because the library is " +
        `unpacked there, or ${naming}`,
  }];
}

/** The file in the platform's package. */
function packaged(): Place {
  const name = `@sipcore/${process.platform}-${process.arch}`;
  const place = { source: `the package ${name}`, remedy: `run "npm install ${name}"` };
  try {
    // Unlike createRequire() it asks no permission of anybody.
    const url = import.meta.resolve(`${name}/${fileName()}`);
    if (url.startsWith("file:")) return { ...place, path: fileURLToPath(url), reason: "" };
    return { ...place, path: null, reason: `no file but ${url}` };
  } catch {
    return { ...place, path: null, reason: "not installed" };
  }
}

/** The file that the build script of this source tree leaves. */
function built(): Place {
  return {
    source: "the build folder",
    path: fileURLToPath(new URL(`../build/${fileName()}`, import.meta.url)),
    reason: "",
    remedy: `run "npm run build" in the source tree of sipcore`,
  };
}

/** Where the library may be, in this order; a path that the user names is the only one. */
export function places(libraryPath: string | null): Place[] {
  if (libraryPath !== null) {
    return [{
      source: "the option libraryPath",
      path: libraryPath,
      reason: "",
      remedy: "correct libraryPath",
    }];
  }
  const own = named();
  if (own) return [own];
  const executable = embedded();
  if (executable.length > 0) return [unnamed(), ...executable];
  if (isInstalled) return [unnamed(), packaged()];
  if (isFile) return [unnamed(), packaged(), built()];
  return [unnamed(), { ...packaged(), remedy: naming }];
}
