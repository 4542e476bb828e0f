/**
 * Test vectors of heads: of a chat as it is saved, appended to, renamed and starred, and of the account after each change.
 *
 * @module
 */

import {
  foldContent,
  foldSegment,
  type HeadState,
  historyCode,
  historyTerm,
  makeHead,
  xor,
} from "../../crypto/mod.ts";
import { toBase64 } from "../../crypto/encoding.ts";
import { sealHistoryWithNonce } from "../../crypto/history.ts";
import { counting, dataKey } from "../support/known_keys.ts";
import { NEW, USER } from "./vector_inputs.ts";

const CHAT = "c4a70000-0000-4000-8000-00000000000a";
const WRITER = "0123456789abcdef";

/** What is said of the chat in each version. The texts stand for envelopes: any text has a digest. */
const STEPS = [
  { encrypted_data: "the content", is_starred: false, encrypted_title: null },
  { number: 0, encrypted_data: "segment 0", is_starred: false, encrypted_title: null },
  { number: 1, encrypted_data: "segment 1", is_starred: false, encrypted_title: null },
  { is_starred: true, encrypted_title: "the title" },
];

/** Heads of a chat in four versions, and of the account after each of them. */
export async function historyVectors() {
  const key = await dataKey(NEW.key_id, NEW.data_key);
  const heads = [], histories = [];
  let [fold, next_segment] = ["", 0];
  for (const [index, step] of STEPS.entries()) {
    const { number, encrypted_data, is_starred, encrypted_title } = step as typeof STEPS[number] & {
      number?: number;
      encrypted_data?: string;
    };
    if (number !== undefined) {
      fold = await foldSegment(fold, { number, encrypted_data: encrypted_data! });
      next_segment = number + 1;
    } else if (encrypted_data !== undefined) fold = await foldContent(encrypted_data);
    const version = index + 1;
    const state: HeadState = {
      version,
      data_version: 1,
      next_segment,
      is_starred,
      encrypted_title,
    };
    const head = await makeHead({ user_id: USER, chat_id: CHAT }, state, fold, key);
    const place = { user_id: USER, chat_id: CHAT, ...NEW };
    heads.push({ ...place, ...step, ...state, fold, head });

    const term = await historyTerm(CHAT, head, key);
    // Another chat has a head as well: the sum is that of both.
    const sum = xor(term, await historyTerm(USER, "the head of another chat", key));
    const content = { chats: 2, min_epoch: 1 as const, sum, writers: { [WRITER]: version } };
    const nonce = counting(0x90 + index, 12);
    const sealed = await sealHistoryWithNonce(content, USER, version, key, nonce);
    histories.push({
      ...{ user_id: USER, ...NEW, counter: version, term: toBase64(term) },
      ...{ content: { ...content, sum: toBase64(sum) }, sealed, code: await historyCode(sealed) },
    });
  }
  return { heads, histories };
}
