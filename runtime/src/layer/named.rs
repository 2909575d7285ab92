//! Modules with names that are made when the program runs.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::Device;

/// Modules, each with its path.
#[derive(Clone, Debug)]
pub struct Named<M>(pub Vec<(String, M)>);

/// No layer that Burn knows: their names are PyTorch's already.
const CONTAINER: &str = "Struct:Named";

impl<M> Named<M> {
    fn each(self, change: impl Fn(M) -> M) -> Self {
        let modules = self.0.into_iter();
        Named(
            modules
                .map(|(name, module)| (name, change(module)))
                .collect(),
        )
    }
}

impl<M: Module> Module for Named<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        let modules = self.0.iter();
        modules.fold(devices, |devices, (_, module)| {
            module.collect_devices(devices)
        })
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|module| module.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|module| module.to_device(device))
    }

    fn train(self) -> Self {
        self.each(M::train)
    }

    fn valid(&self) -> Self {
        self.clone().each(|module| module.valid())
    }

    fn materialize(self) -> Self {
        self.each(M::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, module) in &self.0 {
            visitor.enter_module(name, CONTAINER);
            module.visit(visitor);
            visitor.exit_module(name, CONTAINER);
        }
    }

    fn map<P: ModuleMapper>(self, mapper: &mut P) -> Self {
        let modules = self.0.into_iter().map(|(name, module)| {
            mapper.enter_module(&name, CONTAINER);
            let module = module.map(mapper);
            mapper.exit_module(&name, CONTAINER);
            (name, module)
        });
        Named(modules.collect())
    }
}

impl<M: ModuleDisplay> ModuleDisplayDefault for Named<M> {
    fn content(&self, content: Content) -> Option<Content> {
        let modules = self.0.iter();
        modules
            .fold(content, |content, (name, module)| content.add(name, module))
            .optional()
    }
}

impl<M: ModuleDisplay> ModuleDisplay for Named<M> {}
