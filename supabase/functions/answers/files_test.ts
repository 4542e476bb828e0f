import assert from "node:assert/strict";

import { PDF, PNG, reserve, send, TEXT, upload } from "../files/files_testing.ts";
import { invoke, serviceClient, signUp, stack, test, type TestUser } from "../_testing/testing.ts";
import { ask, booksOf } from "./answers_testing.ts";
import { FINISH, say, type Script, withProvider } from "./provider_testing.ts";

/** The smallest JPEG. */
const JPEG = Uint8Array.from(
  atob(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=",
  ),
  (char) => char.charCodeAt(0),
);

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const dataUrl = (type: string, bytes: Uint8Array) => `data:${type};base64,${base64(bytes)}`;

/** Uploads a file as an app does, and returns its reference. */
async function stored(
  user: TestUser,
  bytes: Uint8Array<ArrayBuffer>,
  content_type: string,
  name: string,
) {
  const { status, body } = await upload(user, bytes, { content_type, name });
  assert.equal(status, 200, JSON.stringify(body));
  return {
    bucket: body.bucket as string,
    path: body.path as string,
    url: `storage://${body.bucket}/${body.path}`,
  };
}

const message = (...files: [mediaType: string, url: string, filename?: string][]) => ({
  role: "user",
  parts: [
    { type: "text", text: "Look" },
    ...files.map(([mediaType, url, filename]) => ({
      type: "file",
      mediaType,
      url,
      ...filename && { filename },
    })),
  ],
});

/** Asks a model that says nothing of interest, and returns what it was told. */
async function withTold(
  run: (model: string, told: { content: unknown }[][]) => Promise<void>,
  columns = {},
): Promise<void> {
  const told: { content: unknown }[][] = [];
  const script: Script = ({ messages }) => {
    told.push(messages as { content: unknown }[]);
    return [say("Seen"), FINISH, "[DONE]"];
  };
  await withProvider(script, (model) => run(model, told), columns);
}

test("files are read from Storage with the rights of the user, and given to the model as data", async () => {
  const user = await signUp();
  const png = await stored(user, PNG, "image/png", "pixel.png");
  const jpeg = await stored(user, JPEG, "image/jpeg", "photo.jpg");
  const pdf = await stored(user, PDF, "application/pdf", "paper.pdf");
  const text = await stored(user, TEXT, "text/plain", "notes.txt");
  const { data } = await user.client.storage.from(png.bucket).createSignedUrl(png.path, 60);
  await withTold(async (model, told) => {
    const asked = message(
      ["image/png", png.url],
      ["image", jpeg.url],
      ["application/pdf", pdf.url, "paper.pdf"],
      ["text/plain", text.url, "notes.txt"],
      ["image/png", data!.signedUrl],
    );
    const { status, body } = await ask(user, { id: "chat", message: asked, model });
    assert.equal(status, 200, JSON.stringify(body));
    const image = { type: "image_url", image_url: { url: dataUrl("image/png", PNG) } };
    assert.deepEqual(told[0]?.at(-1)?.content, [
      { type: "text", text: "Look" },
      image,
      { type: "image_url", image_url: { url: dataUrl("image/jpeg", JPEG) } },
      { type: "file", file: { filename: "paper.pdf", file_data: dataUrl("application/pdf", PDF) } },
      { type: "text", text: `File "notes.txt":\n${new TextDecoder().decode(TEXT)}` },
      image,
    ]);
    // The message keeps the references, not the bytes.
    const { data: rows } = await user.client.from("messages").select("content").eq("role", "user");
    assert.deepEqual(rows?.[0]?.content, asked.parts);

    // Later, they are read again. What is gone is named.
    await invoke(user.client, "files", {
      method: "DELETE",
      body: { bucket: jpeg.bucket, paths: [jpeg.path] },
    });
    const next = await ask(user, { id: "chat", message: "And now?", model });
    assert.equal(next.status, 200, JSON.stringify(next.body));
    const before = told[1]?.[0]?.content as { type: string; text?: string }[];
    assert.deepEqual(before[1], image);
    assert.equal(
      before[2]?.text,
      `[The file "${jpeg.path.split("/").at(-1)}" is not available any more]`,
    );
    assert.equal(before[3]?.type, "file");
  });
  // A model that reads no files is told their names only.
  await withTold(async (model, told) => {
    const { status } = await ask(user, { id: "chat", message: "And now?", model });
    assert.equal(status, 200);
    assert.ok(!JSON.stringify(told).includes("base64"));
  }, { capabilities: [] });
});

test("files that a model cannot be given are refused with a code, and nothing is saved or charged", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const png = await stored(user, PNG, "image/png", "pixel.png");
  const gone = await stored(user, PNG, "image/png", "gone.png");
  await invoke(user.client, "files", {
    method: "DELETE",
    body: { bucket: gone.bucket, paths: [gone.path] },
  });
  const foreign = await stored(other, PNG, "image/png", "theirs.png");
  const html = new TextEncoder().encode("<html><script>alert(1)</script></html>");
  const text = await stored(user, html, "text/plain", "page.txt");
  const large = await stored(
    user,
    new TextEncoder().encode("x".repeat(256 * 1024 + 1)),
    "text/plain",
    "long.txt",
  );
  const svg = "data:image/svg+xml;base64,PHN2Zy8+";
  const signed =
    `${stack.url}/storage/v1/object/sign/${foreign.bucket}/${foreign.path}?token=forged`;
  await withTold(async (model, told) => {
    const cases: [...Parameters<typeof message>, ...[status: number, code: string]][] = [];
    const refuse = (mediaType: string, url: string, status: number, code: string) =>
      cases.push([[mediaType, url], status, code]);
    refuse("image/png", gone.url, 404, "file_not_found");
    refuse("image/png", foreign.url, 404, "file_not_found");
    refuse("image/png", signed, 404, "file_not_found");
    refuse("image/png", "storage://none/a.png", 404, "file_not_found");
    refuse("image/png", text.url, 422, "file_type_mismatch");
    refuse("application/pdf", text.url, 422, "file_type_mismatch");
    refuse("image/jpeg", png.url, 422, "file_type_mismatch");
    refuse("text/plain", png.url, 422, "file_type_mismatch");
    refuse("text/plain", large.url, 413, "file_too_large");
    refuse("image/svg+xml", png.url, 422, "file_type_not_supported");
    refuse("image/svg+xml", svg, 422, "file_type_not_supported");
    refuse("image/png", svg, 422, "invalid_request");
    refuse("application/zip", png.url, 422, "file_type_not_supported");
    refuse("text/plain", "https://example.com/a.txt", 422, "invalid_request");
    refuse("image/png", `storage://${png.bucket}/../${png.path}`, 422, "invalid_request");
    // Written into a URL as they are, these would lead out of the bucket: to what Storage says of it, to a table.
    const up = "%252e%252e/";
    refuse("text/plain", "storage://../bucket/chat_attachments", 422, "invalid_request");
    refuse("text/plain", "storage://%2e%2e/bucket/chat_attachments", 422, "invalid_request");
    refuse("text/plain", `storage://a/${up}${up}bucket/${png.bucket}`, 404, "file_not_found");
    refuse("text/plain", `storage://a/${up.repeat(4)}rest/v1/profiles`, 404, "file_not_found");
    for (const [file, status, code] of cases as unknown as [[string, string], number, string][]) {
      const refused = await ask(user, { message: message(file), model });
      assert.deepEqual(
        [refused.status, refused.body.code],
        [status, code],
        JSON.stringify([file, refused.body]),
      );
      const ephemeral = await ask(user, { messages: [message(file)], model }, {}, "/ephemeral");
      assert.deepEqual(
        [ephemeral.status, ephemeral.body.code],
        [status, code],
        JSON.stringify([file, ephemeral.body]),
      );
    }
    const many = Array.from({ length: 11 }, () => ["image/png", png.url] as [string, string]);
    const refused = await ask(user, { message: message(...many), model });
    assert.deepEqual([refused.status, refused.body.code], [422, "too_many_files"]);
    assert.deepEqual(told, []);
  });
  await withTold(async (model) => {
    const pdf = await stored(user, PDF, "application/pdf", "paper.pdf");
    const refused = await ask(user, { message: message(["application/pdf", pdf.url]), model });
    assert.deepEqual([refused.status, refused.body.code, refused.body.missing], [
      422,
      "model_cannot",
      ["files"],
    ]);
  }, { capabilities: ["images"] });
  assert.deepEqual((await user.client.from("messages").select("id")).data, []);
  const { answers, charged } = await booksOf(user);
  assert.deepEqual([answers, charged], [[], 0]);
});

test("a file that is named again is given and counted once", async () => {
  const user = await signUp();
  const long = new TextEncoder().encode("word ".repeat(10_000));
  const text = await stored(user, long, "text/plain", "long.txt");
  const png = await stored(user, PNG, "image/png", "pixel.png");
  await withTold(async (model, told) => {
    const twice: Parameters<typeof message> = [
      ["text/plain", text.url, "long.txt"],
      ["image/png", png.url, "a.png"],
    ];
    let first: { held: number } | undefined;
    for (let n = 0; n < 3; n++) {
      const asked = message(...twice, ...twice);
      const { status, body } = await ask(user, { id: "chat", message: asked, model });
      assert.equal(status, 200, JSON.stringify(body));
      first ??= body.answer;
      // Each mention is taken for 1,500 tokens; the text, once more for those of the history.
      assert.ok(body.answer.held < first!.held + 30, `${first!.held} ${body.answer.held}`);
    }
    const last = JSON.stringify(told.at(-1));
    assert.equal(last.split("word word").length, 5_001);
    assert.equal(last.split("base64").length, 2);
    assert.match(last, /\[The file \\"long\.txt\\" is named above\]/);
  });
});

test("a file that lies about its type, uploaded directly, is not given to the model", async () => {
  const user = await signUp();
  const reserved = await reserve(user, { content_type: "image/png", size: 9, name: "a.png" });
  await send(reserved, new TextEncoder().encode("<html>...") as Uint8Array<ArrayBuffer>);
  const { bucket, upload_path } = reserved.body;
  const { status, body } = await ask(user, {
    message: message(["image/png", `storage://${bucket}/${upload_path}`]),
  });
  assert.deepEqual([status, body.code], [422, "file_type_mismatch"], JSON.stringify(body));
});

test("the text of a file counts in what is held, and an API key reads only what a signed URL names", async () => {
  const user = await signUp();
  const long = await stored(
    user,
    new TextEncoder().encode("word ".repeat(6_000)),
    "text/plain",
    "long.txt",
  );
  const short = await ask(user, { message: "Look [words=1]", model: "played" });
  const { body } = await ask(user, {
    id: "chat",
    message: message(["text/plain", long.url]),
    model: "played",
  });
  assert.ok(body.answer.held > short.body.answer.held + 9, `${body.answer.held}`);
  // When it is read again, too, however the message names it.
  const next = await ask(user, { id: "chat", message: "And now? [words=1]", model: "played" });
  assert.ok(next.body.answer.held > short.body.answer.held + 9, `${next.body.answer.held}`);
  assert.ok(next.body.answer.credits < next.body.answer.held, `${next.body.answer.credits}`);
  const { data: link } = await user.client.storage.from(long.bucket).createSignedUrl(
    long.path,
    600,
  );
  const inside = `data:text/plain;base64,${btoa("word ".repeat(6_000))}`;
  for (const [id, url] of [["signed", link!.signedUrl], ["data", inside]] as const) {
    await ask(user, { id, message: message(["text/plain; charset=utf-8", url]), model: "played" });
    const again = await ask(user, { id, message: "And now? [words=1]", model: "played" });
    assert.equal(again.status, 200, JSON.stringify(again.body));
    assert.ok(again.body.answer.held > short.body.answer.held + 9, `${again.body.answer.held}`);
  }
  const key = await invoke(user.client, "keys", {
    body: { name: "k", permissions: ["answers:write"] },
  });
  const program = { ...user, token: key.body.key };
  const refused = await ask(program, { message: message(["text/plain", long.url]) });
  assert.deepEqual(
    [refused.status, refused.body.code],
    [403, "session_required"],
    JSON.stringify(refused.body),
  );
  const { data } = await user.client.storage.from(long.bucket).createSignedUrl(long.path, 60);
  const read = await ask(program, { message: message(["text/plain", data!.signedUrl]) });
  assert.equal(read.status, 200, JSON.stringify(read.body));
  const tools = await ask(program, {
    message: "Hi",
    parameters: { server_tools: ["search_messages"] },
  });
  assert.deepEqual([tools.status, tools.body.code], [403, "session_required"]);
  await serviceClient().from("api_keys").delete().eq("user_id", user.id);
});
