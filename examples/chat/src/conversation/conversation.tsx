import { useEffect, useRef, useState } from "react";

import { useOutOfCredits } from "../account/credits";
import { go } from "../route";
import { Logo } from "../ui/icons";
import { Problem } from "../ui/problem";
import { Composer } from "./composer";
import { Message } from "./message";
import { textOf, useAnswers } from "./use_answers";

const IDEAS = [
  "Plan a quiet weekend in the mountains",
  "Explain compound interest to a ten-year-old",
  "Help me word a difficult e-mail",
];

/** A conversation, or the beginning of a new one. */
export function Conversation({ id }: { id: string | undefined }) {
  // A new conversation gets its id here, and the server keeps it.
  const [fresh, setFresh] = useState(() => crypto.randomUUID());
  const before = useRef(id);
  useEffect(() => {
    if (id === undefined && before.current !== undefined) setFresh(crypto.randomUUID());
    before.current = id;
  }, [id]);
  const current = id ?? fresh;
  return <Thread key={current} id={current} isNew={id === undefined} />;
}

function Thread({ id, isNew }: { id: string; isNew: boolean }) {
  const { messages, answering, problem, ask, askAgain, respond, stop, reload } = useAnswers(id);
  const [draft, setDraft] = useState("");
  const tellOutOfCredits = useOutOfCredits();
  const end = useRef<HTMLDivElement>(null);
  const last = messages?.at(-1);
  const length = last ? textOf(last).length : 0;
  useEffect(() => {
    // In braces, because browsers return a promise here, and React would take it for the end of the effect.
    end.current?.scrollIntoView({ block: "end" });
  }, [messages?.length, length]);

  const outOfCredits = problem?.code === "insufficient_credits";
  useEffect(() => {
    if (!problem || !outOfCredits) return;
    tellOutOfCredits({
      what: "This answer can cost up to",
      required: problem.required,
      available: problem.available,
    });
  }, [problem, outOfCredits, tellOutOfCredits]);

  const send = async (text: string) => {
    setDraft("");
    const asked = ask(text);
    if (isNew) go(`c/${id}`);
    // What could not be sent is not lost.
    if (!await asked) setDraft((now) => now || text);
  };

  const isEmpty = messages?.length === 0 && !answering;
  return (
    <section className="thread">
      <div className="messages" aria-live="polite" aria-busy={answering}>
        {messages === undefined && !isNew && <Skeleton />}
        {(isEmpty || (isNew && !messages)) && (
          <div className="welcome">
            <Logo />
            <h1>What is on your mind?</h1>
            <div className="ideas">
              {IDEAS.map((idea) => <button key={idea} onClick={() => send(idea)}>{idea}</button>)}
            </div>
          </div>
        )}
        {messages?.map((message) => (
          <Message
            key={message.id}
            message={message}
            {...message === last && message.role === "assistant" && !answering &&
              { again: askAgain, respond }}
          />
        ))}
        {answering && last?.role === "user" && (
          <div className="message assistant">
            <span className="dots" aria-label="Thinking">
              <i />
              <i />
              <i />
            </span>
          </div>
        )}
        {!outOfCredits && <Problem of={problem} retry={draft ? () => send(draft) : reload} />}
        <div ref={end} />
      </div>
      <Composer text={draft} change={setDraft} send={send} answering={answering} stop={stop} />
    </section>
  );
}

function Skeleton() {
  return (
    <div aria-label="Loading">
      {[40, 85, 70].map((width) => (
        <div key={width} className="skeleton line" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
