/** An error that its reader can correct in cdktf.json. The message is all that needs to be shown. */
export class ConfigurationError extends Error {}
