/**
 * Test vectors of approvals and of passkeys.
 *
 * @module
 */

import { codeOf, formatQr } from "../../devices/approval_code.ts";
import { approvalKeys, exchangeOf, sealMessage } from "../../devices/approval_keys.ts";
import { exchangeKey, makeShare } from "../../devices/cpace.ts";
import { associatedData, toBase64, toUtf8 } from "../../crypto/encoding.ts";
import { derivePasskeyKey, passkeyInput } from "../../crypto/passkey_key.ts";
import { wrapMembers, wrapWithNonce } from "../../crypto/wrap.ts";
import { sealName } from "../../passkeys/passkey_name.ts";
import { counting, dataKey, fromHex, toHex } from "../support/known_keys.ts";
import { hex, NEW, USER } from "./vector_inputs.ts";

const APPROVAL = "a99c0a1e-0000-4000-8000-000000000001";
const PASSKEY = "9a55ce40-0000-4000-8000-000000000001";

/** An approval with all its messages, and a passkey with its wrap and its name. */
export async function deviceVectors() {
  return { approvals: [await approvalVector()], passkeys: [await passkeyVector()] };
}

async function approvalVector() {
  const place = { user_id: USER, approval_id: APPROVAL };
  const code = codeOf([7, 20, 23, 2, 20, 9, 29]);
  const exchange = exchangeOf(place, code);
  const secrets = { new: hex(1, 31) + "0a", old: hex(0x81, 31) + "0b" };
  const scalars = { new: fromHex(secrets.new), old: fromHex(secrets.old) };
  const shares = {
    new: await makeShare(exchange, scalars.new),
    old: await makeShare(exchange, scalars.old),
  };
  const transcript = [
    { share: shares.new, ad: toUtf8("new device") },
    { share: shares.old, ad: toUtf8("old device") },
  ] as const;
  const secret = await exchangeKey(exchange.sid, scalars.new, shares.old, transcript);
  const own = { role: "new", scalar: scalars.new } as const;
  const keys = (await approvalKeys(place, exchange, own, shares))!; // both shares are ones
  const key = await dataKey(NEW.key_id, NEW.data_key, true);
  const under = { under: keys.wrapping, user_id: USER };
  const wrap = await wrapWithNonce(key, under, counting(0xc0, 12));
  const hello = { name: "Firefox on Linux" };
  const cost = { memory_kib: 19456, passes: 2 };
  const history = { counter: 4, sealed: "the head of the account" };
  const answer = { key_id: NEW.key_id, wrap, min_epoch: 1, password_cost: cost, history };
  const [share, reply] = [toBase64(shares.new), toBase64(shares.old)];
  return {
    ...place,
    code,
    qr: formatQr({ id: APPROVAL, code, share }),
    new_scalar: secrets.new,
    old_scalar: secrets.old,
    share,
    reply,
    secret: toHex(secret!),
    ...NEW,
    hello: await sealMessage(keys, "hello", place, hello, counting(0xd0, 12)),
    hello_content: hello,
    answer: await sealMessage(keys, "answer", place, answer, counting(0xe0, 12)),
    answer_content: answer,
  };
}

async function passkeyVector() {
  const key = await dataKey(NEW.key_id, NEW.data_key, true);
  const [salt, credential_id] = [toBase64(counting(0x40, 32)), "AAECAwQFBgcICQoLDA0ODw"];
  const named = { name: "MacBook" };
  const place = { user_id: USER, device_id: PASSKEY };
  const name = await sealName(named.name, place, key, counting(0xa0, 12));
  const output = hex(0x60, 32);
  const parameters = { device_id: PASSKEY, credential_id, salt, name };
  const under = await derivePasskeyKey(fromHex(output), parameters);
  return {
    user_id: USER,
    ...NEW,
    ...parameters,
    name_content: named.name,
    input: toHex(await passkeyInput(USER, salt)),
    output,
    associated_data: new TextDecoder().decode(
      associatedData(wrapMembers(under, USER, NEW.key_id)),
    ),
    wrap: await wrapWithNonce(key, { under, user_id: USER }, counting(0xb0, 12)),
  };
}
