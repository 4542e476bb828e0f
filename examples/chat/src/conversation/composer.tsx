import { type KeyboardEvent, useEffect, useRef } from "react";

import { SendIcon, StopIcon } from "../ui/icons";

/** The most pixels to which the field grows. */
const MOST_HEIGHT = 200;

/** The field in which the user writes. Enter sends, Shift+Enter begins a new line. */
export function Composer(
  { text, change, send, answering = false, stop, label = "Ask Lantern", autoFocus = true }: {
    text: string;
    change: (text: string) => void;
    send: (text: string) => void;
    answering?: boolean;
    stop?: () => void;
    label?: string;
    autoFocus?: boolean;
  },
) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${Math.min(current.scrollHeight, MOST_HEIGHT)}px`;
  }, [text]);

  const submit = () => {
    if (text.trim() && !answering) send(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends the input of a word in some languages.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={field}
        rows={1}
        aria-label={label}
        placeholder={label}
        autoFocus={autoFocus}
        value={text}
        onChange={(event) => change(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {answering
        ? (
          <button type="button" className="round" aria-label="Stop" onClick={stop}>
            <StopIcon />
          </button>
        )
        : (
          <button className="round" aria-label="Send" disabled={!text.trim()}>
            <SendIcon />
          </button>
        )}
    </form>
  );
}
