/** The machine's surface: what the running node, the store and the test kit use of it. */
export { apply, type Applied, guardHolds } from './apply.ts'
export {
  type Compare,
  type Guard,
  type HashTable,
  type Header,
  type Op,
  appendCommand,
  encodeBatch,
  encodeDelete,
  encodeExpire,
  encodeHashes,
  encodeIncrement,
  encodePut,
  encodeSettings,
  encodeSlice,
  encodeSliceRegister,
  encodeSliceRetire,
  encodeSpace,
  encodeTouch,
  encodeTxn,
} from './command.ts'
export { encodeInto, encodeUnder } from './command-bytes.ts'
export { decodeCommand, decodeCommands } from './decode.ts'
export {
  type Keyspace,
  dueAt,
  expiresAt,
  find,
  findRecord,
  openAt,
  recordAt,
  revisionAt,
  scan,
  valueAt,
} from './keyspace.ts'
export {
  type Machine,
  USERS,
  collectDue,
  createMachine,
  nextDue,
  pluginSpace,
  spaceOf,
  stateHash,
} from './machine.ts'
export { add } from './ops.ts'
export { lookUp } from './requests.ts'
export type * from './result.ts'
export { DEFAULT_SETTINGS, SETTING_BOUNDS, type Settings, checkSettings } from './settings.ts'
export type { Slice, SliceMeta, SliceSpace } from './slice.ts'
export { snapshotLoader } from './snapshot-loader.ts'
export { snapshotSource } from './snapshot-source.ts'
export { UnknownCommand, UnsupportedByThisNode } from './unsupported.ts'
export { type Budget, createBudget } from './moment.ts'
export { type View, type ViewOptions, openView } from './view.ts'
