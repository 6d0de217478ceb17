/** Where the API is. What probes and pages ask for is at the root beside it. */
export const BASE = '/api/v1'
