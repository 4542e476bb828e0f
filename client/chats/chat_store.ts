/**
 * What a device keeps of the chats: as the server has it, encrypted. So it can be kept anywhere, and synchronised while
 * the keys are locked.
 *
 * @module
 */

/** A chat without its content. */
export interface StoredChat {
  readonly id: string;
  readonly version: number;
  readonly data_version: number;
  readonly next_segment: number;
  readonly is_starred: boolean;
  readonly encrypted_title: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** The app has changes of it that are not saved: it stays when another device deletes it. */
  readonly unsaved?: boolean;
  /** Another device has deleted it. */
  readonly deleted?: boolean;
}

/** Of what the server says of a chat, what is stored. */
export function storedChat({
  id,
  version,
  data_version,
  next_segment,
  is_starred,
  encrypted_title,
  created_at,
  updated_at,
}: StoredChat): StoredChat {
  const about = { id, version, data_version, next_segment, is_starred, created_at, updated_at };
  return { ...about, encrypted_title };
}

/** A segment, as the server has it. */
export interface StoredSegment {
  readonly number: number;
  readonly encrypted_data: string;
}

/** The content of a chat, as far as this device has read it. */
export interface StoredContent {
  /** Id of the chat. */
  readonly id: string;
  /** The version in which `encrypted_data` was saved. */
  readonly data_version: number;
  readonly encrypted_data: string;
  /** In the order of their numbers, without a gap. */
  readonly segments: readonly StoredSegment[];
  /** Number of the segment to read on from. */
  readonly next_segment: number;
}

/** More of a content. */
export interface ContentUpdate {
  /** Id of the chat. */
  readonly id: string;
  readonly data_version: number;
  /** Takes the place of all that there is, segments included; undefined where what there is stays. */
  readonly encrypted_data?: string;
  /** Come after those that there are. */
  readonly segments: readonly StoredSegment[];
  readonly next_segment: number;
}

/** What a device has seen. */
export interface StoreState {
  /** Where the next sync goes on; null to start. */
  readonly cursor: string | null;
  /** The newest epoch of keys that this device has opened: the server is not believed when it offers an older one. */
  readonly key_id: string | null;
}

/** A change of a store, made as one. */
export interface StoreBatch {
  /** Chats that go, with their contents; before anything is put. */
  readonly remove?: readonly string[];
  readonly put?: readonly StoredChat[];
  readonly contents?: readonly ContentUpdate[];
  readonly state?: Partial<StoreState>;
}

/**
 * Where a device keeps its chats. One store is one user's, and used by one `Chats` at a time: tabs of a browser that
 * share one take turns (Web Locks).
 */
export interface ChatStore {
  /** What the device has seen; null and null at first. */
  state(): Promise<StoreState>;
  /** One chat. */
  get(id: string): Promise<StoredChat | undefined>;
  /** All chats, in any order. */
  list(): Promise<StoredChat[]>;
  /** What is kept of the content of a chat. A store may keep none: then all of it is fetched when it is opened. */
  content(id: string): Promise<StoredContent | undefined>;
  /** Makes a change: all of it or, if the device stops meanwhile, nothing. */
  apply(batch: StoreBatch): Promise<void>;
}

/** A store that is gone with the program. */
export class MemoryStore implements ChatStore {
  #state: StoreState = { cursor: null, key_id: null };
  readonly #chats = new Map<string, StoredChat>();
  readonly #contents = new Map<string, StoredContent>();

  /** What the device has seen. */
  state(): Promise<StoreState> {
    return Promise.resolve(this.#state);
  }

  /** One chat. */
  get(id: string): Promise<StoredChat | undefined> {
    return Promise.resolve(this.#chats.get(id));
  }

  /** All chats. */
  list(): Promise<StoredChat[]> {
    return Promise.resolve([...this.#chats.values()]);
  }

  /** What is kept of the content of a chat. */
  content(id: string): Promise<StoredContent | undefined> {
    return Promise.resolve(this.#contents.get(id));
  }

  /** Makes a change. */
  apply({ remove = [], put = [], contents = [], state }: StoreBatch): Promise<void> {
    for (const id of remove) {
      this.#chats.delete(id);
      this.#contents.delete(id);
    }
    for (const chat of put) this.#chats.set(chat.id, chat);
    for (const { encrypted_data, ...update } of contents) {
      const kept = this.#contents.get(update.id);
      if (encrypted_data !== undefined) {
        this.#contents.set(update.id, { ...update, encrypted_data });
      } else if (kept) {
        const segments = [...kept.segments, ...update.segments];
        this.#contents.set(update.id, { ...kept, ...update, segments });
      }
    }
    this.#state = { ...this.#state, ...state };
    return Promise.resolve();
  }
}
