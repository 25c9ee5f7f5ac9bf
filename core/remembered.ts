// SPDX-License-Identifier: GPL-2.0-or-later

/** How many values are kept, and of texts how long. */
const most = { values: 512, characters: 100 } as const;

/**
 * The same function, which makes the value of a text once: the lines of a codec, or the address of a gateway, come again
 * in each description, and what never changes can be shared.
 */
export function remembered<T extends object>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) {
      value = make(text);
      if (text.length <= most.characters) {
        if (known.size >= most.values) known.clear();
        known.set(text, value);
      }
    }
    return value;
  };
}
