// The config of the node that `npm start` runs, and an example of all there is to say. Every option is
// described in docs/config.md; whatever is left out has its default, which is what most options here show.
//
// Check it with `concord config validate`, see what comes of it with `concord config print`, and ask where
// one value came from with `concord config explain storage.fsync`.

import { defineConfig } from 'concord-kv'

export default defineConfig({
  // The name of this node. It belongs to the data directory: once the directory is made, keep it.
  node: { id: process.env['CONCORD_NODE_ID'] ?? 'n1' },

  // Where the data lives, relative to this file. `storage: 'memory'` keeps none.
  //   fsync 'always'     a write that was answered survives the power cut (default)
  //   fsync 'interval'   it survives the crash of the process; a power cut can cost the last `intervalMs`
  //   fsync 'never'      the same, for as long as the operating system likes
  storage: { dir: './data', fsync: 'always' },

  // How fresh a read is when the call does not say: 'leader' and 'strong' are linearizable, 'eventual' is
  // what this node has.
  reads: { consistency: 'leader' },

  // Every call has a deadline. Without a leader it fails; it never hangs.
  timeoutMs: 5000,

  // Past these a call is refused. Sizes are in bytes.
  limits: { valueBytes: 1024 * 1024, batch: 500 },

  // 'text' for people, 'json' for machines, 'auto' by whether a terminal is looking.
  log: { level: 'info', format: 'auto' },

  // How long close() waits for what is under way.
  shutdownMs: 10_000,

  // Plugins. `plugins.<name>` says whether one is on (true, or its options) or off (false); `use` says where
  // the code of those comes from that are not built in: an imported definition, or the name of a package.
  //
  //   use: [acme, 'concord-plugin-other'],
  //   plugins: { acme: { perMinute: 60 }, other: true },
  //
  // The HTTP API and tokens are built in; CONCORD_PLUGINS_HTTP=true does the same as `http: true` here.
  plugins: {
    http: false, // or { port: 4000 }; needs fastify, and swagger-ui-dist for the page in a browser
    auth: false, // true: every call needs a token; `concord token create --bootstrap` makes the first
  },

  // A section for each mode is laid over the rest: `concord start --env production`, or NODE_ENV. Objects
  // merge by key; lists and single values replace. Above all of this lie the CONCORD_* variables, one for
  // each option: CONCORD_LOG_LEVEL=debug.
  env: {
    production: { log: { format: 'json' } },
    test: { storage: 'memory' },
  },
})
