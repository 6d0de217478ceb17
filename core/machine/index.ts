/** The machine's surface: what the running node, the store and the test kit use of it. */
export { apply, type Applied } from './apply.ts'
export {
  type Command,
  type CommandHeader,
  type Compare,
  type Header,
  type Op,
  appendCommand,
  encodeBatch,
  encodeDelete,
  encodeExpire,
  encodeIncrement,
  encodeNothing,
  encodePut,
  encodeSettings,
  encodeSlice,
  encodeSliceRegister,
  encodeSliceRetire,
  encodeSpace,
  encodeTouch,
  encodeTxn,
} from './command.ts'
export { decodeCommand, decodeCommands } from './decode.ts'
export {
  type Keyspace,
  type ScanOptions,
  dueAt,
  expiresAt,
  find,
  findRecord,
  recordAt,
  revisionAt,
  scan,
  valueAt,
} from './keyspace.ts'
export {
  type Machine,
  collectDue,
  createMachine,
  nextDue,
  pluginSpace,
  spaceOf,
  stateHash,
} from './machine.ts'
export { type Known, lookUp } from './requests.ts'
export type * from './result.ts'
export { type Settings, APPLY_VERSION, DEFAULT_SETTINGS, checkSettings } from './settings.ts'
export type { Slice, SliceMeta, SliceSpace } from './slice.ts'
export { type SnapshotLoader, type SnapshotSource, snapshotLoader, snapshotSource } from './snapshot.ts'
export { type Lack, UnknownCommand, UnsupportedByThisNode } from './unsupported.ts'
export { type View, type ViewOptions, openView } from './view.ts'
