//! Data: sources, the sampler and the loader.
