// SPDX-License-Identifier: GPL-2.0-or-later
/** The blocks of code in the papers and in docstrings, and what their tests need to know of them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface CodeBlock {
  /** The file, relative to the project. */
  readonly file: string;
  readonly line: number;
  /** What stands behind the three backticks: "ts", "sh". */
  readonly language: string;
  readonly text: string;
  /** Commands that are run while it runs, from `<!-- run: COMMAND -->` before it. */
  readonly commands: readonly string[];
  /** A command that goes on beside it, from `<!-- beside: COMMAND -->`; it says "Listening" when it is ready. */
  readonly beside: string | null;
  /** Why it is not run; its types are checked all the same. From `<!-- not run: REASON -->`. */
  readonly notRun: string | null;
}

/** A text of the project. */
export function readText(file: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");
}

/**
 * Every fenced block of a paper, in its order. One behind `<!-- continues -->` goes on with the one before, and is the
 * whole of both.
 */
export function codeBlocks(file: string): CodeBlock[] {
  const text = readText(file);
  const blocks: CodeBlock[] = [];
  const fence = /((?:^<!-- [^\n]* -->\n+)*)^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm;
  for (const { index, 1: remarks, 2: language, 3: code } of text.matchAll(fence)) {
    const remark = (kind: string) =>
      [...remarks!.matchAll(new RegExp(`^<!-- ${kind}(?:: (.*))? -->$`, "gm"))].map(([, value]) =>
        value ?? ""
      );
    const before = remark("continues").length > 0 ? blocks.at(-1)!.text : "";
    blocks.push({
      file,
      line: text.slice(0, index).split("\n").length + remarks!.split("\n").length - 1,
      language: language!,
      text: before + code!,
      commands: remark("run"),
      beside: remark("beside")[0] ?? null,
      notRun: remark("not run")[0] ?? null,
    });
  }
  return blocks;
}

/** The examples in the docstrings of a source file; `name` is what each documents. */
export function docstringExamples(file: string): (CodeBlock & { readonly name: string })[] {
  const text = readText(file);
  const example =
    /^ *\* @example[^\n]*\n((?: *\*(?!\/)[^\n]*\n)+) *\*\/\n(?:export )?(?:abstract )?(?:async )?\w+ (\w+)/gm;
  return [...text.matchAll(example)].map(({ index, 1: lines, 2: name }) => {
    const code = /```ts\n([\s\S]*?)```/.exec(lines!.replace(/^ *\* ?/gm, ""))?.[1] ?? "";
    const line = text.slice(0, index).split("\n").length;
    return { file, line, language: "ts", text: code, commands: [], beside: null, notRun: null, name: name! };
  });
}

/** The code with its claims checked: `x; // 5` throws unless x is 5. */
export function withClaims(text: string): string {
  return text.replace(/^([^\s/{}].*);? \/\/ (.+)$/gm, (line, code: string, claim: string) => {
    const statement = code.replace(/;$/, "");
    if (/^(import|export|const|let|for|if|using|await|console)\b/.test(statement)) return line;
    const value = /^("(?:[^"\\]|\\.)*"|-?\d[\d.]*|true|false|null|\[.*?\])(?:, .*)?$/.exec(claim)?.[1];
    return value === undefined ? line : `claim(${statement}, ${value}); // ${claim}`;
  });
}
