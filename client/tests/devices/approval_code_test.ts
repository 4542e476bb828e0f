import assert from "node:assert/strict";

import {
  codeOf,
  formatCode,
  formatQr,
  generateCode,
  readCode,
} from "../../devices/approval_code.ts";

const mistyped = { code: "approval_code_mistyped" };
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

Deno.test("approval code: it is read as people type it", () => {
  const code = codeOf([7, 20, 23, 2, 20, 9, 29]);
  assert.equal(code.length, 8);
  const typed = formatCode(code);
  assert.match(typed, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  for (const text of [code, typed, ` ${typed.toLowerCase()} `, typed.replace("-", " – ")]) {
    assert.deepEqual(readCode(text), { code });
  }
  const zeros = codeOf([0, 0, 1, 1, 0, 1, 0]);
  assert.deepEqual(readCode(zeros.replaceAll("0", "o").replaceAll("1", "l")), { code: zeros });
});

Deno.test("approval code: a wrong or missing character is noticed before anything is sent", () => {
  const code = generateCode();
  let swaps = 0;
  for (let place = 0; place < code.length; place++) {
    for (const character of ALPHABET) {
      const wrong = code.slice(0, place) + character + code.slice(place + 1);
      if (wrong !== code) assert.throws(() => readCode(wrong), mistyped, `${code} ${wrong}`);
    }
    const [a, b] = [code[place]!, code[place + 1]];
    if (b === undefined || a === b || [a, b].sort().join("") === "0Z") continue;
    swaps++;
    const swapped = code.slice(0, place) + b + a + code.slice(place + 2);
    assert.throws(() => readCode(swapped), mistyped, `${code} ${swapped}`);
  }
  assert.ok(swaps > 0, code);
  for (const text of ["", code.slice(1), `${code}0`, code.replace(/^./, "U")]) {
    assert.throws(() => readCode(text), mistyped, `${code} ${text}`);
  }
});

Deno.test("approval code: a QR code carries the id and the share too", () => {
  const id = crypto.randomUUID();
  const [code, share] = [generateCode(), btoa("x".repeat(32))];
  const qr = formatQr({ id, code, share });
  assert.deepEqual(readCode(qr), { id, code, share });
  for (
    const text of [
      qr.slice(0, -1),
      `${qr}:x`,
      qr.replace(id, "x"),
      qr.replace(code, code.slice(1)),
      qr.replace(":1:", ":2:"),
    ]
  ) assert.throws(() => readCode(text), mistyped, text);
});
