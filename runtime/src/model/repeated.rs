//! Repetitions behind those that are written out: their numbers go on.

use std::fmt::Debug;
use std::ops::Deref;

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::Device;

/// Blocks whose paths are numbered from `WRITTEN` on.
#[derive(Clone, Debug)]
pub struct Rest<B, const WRITTEN: usize>(Vec<B>);

impl<B, const WRITTEN: usize> From<Vec<B>> for Rest<B, WRITTEN> {
    fn from(blocks: Vec<B>) -> Self {
        Rest(blocks)
    }
}

impl<B, const WRITTEN: usize> Deref for Rest<B, WRITTEN> {
    type Target = [B];

    fn deref(&self) -> &[B] {
        &self.0
    }
}

const CONTAINER: &str = "Vec";

impl<B: Module + Debug, const WRITTEN: usize> Module for Rest<B, WRITTEN> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (i, block) in self.0.iter().enumerate() {
            let number = (i + WRITTEN).to_string();
            visitor.enter_module(&number, CONTAINER);
            block.visit(visitor);
            visitor.exit_module(&number, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let blocks = self.0.into_iter().enumerate().map(|(i, block)| {
            let number = (i + WRITTEN).to_string();
            mapper.enter_module(&number, CONTAINER);
            let block = block.map(mapper);
            mapper.exit_module(&number, CONTAINER);
            block
        });
        Rest(blocks.collect())
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Rest(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Rest(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Rest(self.0.train())
    }

    fn valid(&self) -> Self {
        Rest(self.0.valid())
    }

    fn materialize(self) -> Self {
        Rest(self.0.materialize())
    }
}

impl<B: ModuleDisplay, const WRITTEN: usize> ModuleDisplayDefault for Rest<B, WRITTEN> {
    fn content(&self, content: Content) -> Option<Content> {
        let blocks = self.0.iter().enumerate();
        blocks
            .fold(content, |content, (i, block)| {
                content.add(&(i + WRITTEN).to_string(), block)
            })
            .optional()
    }
}

impl<B: ModuleDisplay, const WRITTEN: usize> ModuleDisplay for Rest<B, WRITTEN> {}
