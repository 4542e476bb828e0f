import { type DragEvent, useCallback, useRef, useState } from "react";

import { strongroom, supabase } from "../backend";
import { useWhenChanged } from "../changes";
import { FileIcon, SparkIcon, TrashIcon, UploadIcon } from "../ui/icons";
import { Problem } from "../ui/problem";
import { CreateImage } from "./create_image";
import { BUCKET, sizeText, useUploads } from "./uploads";

/** Files in the list. */
const SHOWN = 60;

interface Item {
  id: string;
  name: string;
  path: string;
  size: number;
  type: string;
  url: string | undefined;
}

/** The files of the user: uploads with progress, and images that were bought. */
export function Files() {
  const [items, setItems] = useState<Item[]>();
  const [problem, setProblem] = useState<Error>();
  const [creating, setCreating] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  const read = useCallback(async () => {
    const found = await readFiles();
    if (found instanceof Error) setProblem(found);
    else {
      setProblem(undefined);
      setItems(found);
    }
  }, []);
  useWhenChanged("files", read);
  const { uploads, add, dismiss } = useUploads(read);

  const remove = async ({ path }: Item) => {
    const { error } = await strongroom.files.delete({ bucket: BUCKET, paths: [path] });
    if (error) setProblem(error);
    await read();
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    add([...event.dataTransfer.files]);
  };

  return (
    <section className="page" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <header>
        <h1>Files</h1>
        <button className="quiet" onClick={() => setCreating(true)}>
          <SparkIcon /> Create an image
        </button>
        <button className="button" onClick={() => input.current?.click()}>
          <UploadIcon /> Upload
        </button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          data-testid="file-input"
          onChange={(event) => {
            add([...event.target.files ?? []]);
            event.target.value = "";
          }}
        />
      </header>
      <Problem of={problem} retry={read} />
      {creating && <CreateImage close={() => setCreating(false)} keep={(file) => add([file])} />}
      {uploads.map(({ key, name, sent, total, problem }) => (
        <div className="upload" key={key} data-testid="upload">
          <span>{name}</span>
          {problem ? <Problem of={problem} /> : <progress value={sent} max={total} />}
          <span className="hint">{problem ? "" : `${Math.floor(100 * sent / total)} %`}</span>
          {problem && (
            <button
              className="quiet"
              onClick={() => dismiss(key)}
            >
              Dismiss
            </button>
          )}
        </div>
      ))}
      {items?.length === 0 && uploads.length === 0 && (
        <div className="nothing">
          <FileIcon />
          <p>Nothing here yet. Drop a picture, a PDF or a text file of up to 10 MB.</p>
        </div>
      )}
      <ul className="tiles">
        {items === undefined && [1, 2, 3].map((key) => <li key={key} className="tile skeleton" />)}
        {items?.map((item) => (
          <li key={item.id} className="tile">
            <a href={item.url} target="_blank" rel="noreferrer">
              {item.type.startsWith("image/") && item.url
                ? <img src={item.url} alt="" loading="lazy" />
                : <span className="kind">{item.name.split(".").at(-1)?.toUpperCase()}</span>}
            </a>
            <div>
              <span className="name" title={item.name}>{item.name}</span>
              <span className="hint">{sizeText(item.size)}</span>
              <button
                className="icon"
                aria-label={`Delete ${item.name}`}
                onClick={() => remove(item)}
              >
                <TrashIcon />
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

async function readFiles(): Promise<Item[] | Error> {
  const { data, error } = await supabase.from("file_uploads")
    .select("id, file_name, file_path, file_size, mime_type").eq("bucket_name", BUCKET)
    .eq("status", "complete").order("created_at", { ascending: false }).limit(SHOWN);
  if (error) return new Error(error.message);
  if (data.length === 0) return [];
  const signed = await strongroom.files
    .sign({ bucket: BUCKET, paths: data.map(({ file_path }) => file_path) });
  if (signed.error) return signed.error;
  const urls = new Map(signed.data.urls.map(({ path, url }) => [path, url]));
  return data.map(({ id, file_name, file_path, file_size, mime_type }) => ({
    id,
    name: file_name,
    path: file_path,
    size: file_size ?? 0,
    type: mime_type ?? "",
    url: urls.get(file_path),
  }));
}
