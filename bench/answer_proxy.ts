/**
 * The reference of the benchmark `answers`: a process that passes a request on to the played model, and its stream back. It
 * authenticates nobody, and stores and charges nothing. Its arguments are the model's URL and key.
 *
 * @module
 */

const [url = "", key = ""] = Deno.args;

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(port),
}, async (request) => {
  const { message } = await request.json();
  const { body, status } = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: "played",
      stream: true,
      messages: [{ role: "user", content: message }],
    }),
  });
  return new Response(body, { status, headers: { "content-type": "text/event-stream" } });
});
