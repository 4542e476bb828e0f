/** An error as the user sees it. */
export function Problem({ of, retry }: { of: Error | string | undefined; retry?: () => void }) {
  if (!of) return null;
  return (
    <p className="problem" role="alert">
      <span>{textOf(of)}</span>
      {retry && <button className="quiet" onClick={retry}>Try again</button>}
    </p>
  );
}

/** What is wrong and what to do, in the words of the server where it has any. */
function textOf(problem: Error | string): string {
  if (typeof problem === "string") return problem;
  const { message, hint, code } = problem as Error & { hint?: string; code?: string };
  if (code === "unreachable" || /fetch/i.test(message)) {
    return "The server cannot be reached. Check your connection.";
  }
  return hint ? `${sentence(message)} ${sentence(hint)}` : sentence(message);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
