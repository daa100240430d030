//! Build script of the tests: `cfg(has_api_server)` where `KUBEBUILDER_ASSETS` names the folder of one, and
//! `cfg(has_controller_manager)` where Kubernetes' own controllers are there, too.
//!
//! Without it the tests that need one are reported as ignored. What is shipped does not depend on it.

#![allow(clippy::print_stdout, reason = "that is how a build script speaks")]

fn main() {
    println!("cargo::rerun-if-changed=tests/it/build.rs");
    println!("cargo::rerun-if-env-changed=KUBEBUILDER_ASSETS");
    println!("cargo::rustc-check-cfg=cfg(has_api_server, has_controller_manager)");
    let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) else { return };
    println!("cargo::rustc-cfg=has_api_server");
    if std::path::Path::new(&folder).join("kube-controller-manager").exists() {
        println!("cargo::rustc-cfg=has_controller_manager");
    }
}
