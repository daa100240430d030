//! Folders of templates: what becomes of them, and what is said of those that would never work.

use super::*;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use proptest::prelude::*;
use std::fs;
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// The message about a folder with this one file, without the path of the folder.
#[track_caller]
fn refused(name: &str, text: &str) -> String {
    let dir = folder(&[(name, text)]);
    let faults = Templates::load(Some(dir.path())).unwrap().if_sound().unwrap_err();
    faults.to_string().replace(&format!("{}/", dir.path().display()), "")
}

fn name(name: &str) -> TemplateName {
    TemplateName::new(name).unwrap()
}

fn containers(pod: &Pod) -> &[Container] {
    &pod.spec.as_ref().unwrap().containers
}

#[test]
fn the_built_in_templates_are_sound() {
    let templates = Templates::default();
    assert_eq!(templates.pod_names(), [name("dualContainer"), name("singleContainer")]);
    assert_eq!((templates.namespace(), templates.selector_keys()), (None, &["app".to_owned()][..]));
    assert_eq!(containers(templates.pod(&name("singleContainer")).unwrap()).len(), 1);
    assert_eq!(containers(templates.pod(&name("dualContainer")).unwrap())[1].name, "second");
    assert_eq!(templates.pod(&name("deployment")), None);
    assert_eq!(Templates::load(None).unwrap(), templates);
    assert_eq!(Templates::load(Some(Path::new("/nowhere"))).unwrap(), templates);
}

#[test]
fn files_replace_the_built_in_templates_and_add_pods() {
    let dir = folder(&[
        (
            "singleContainer.yaml",
            "metadata: {namespace: mine, uid: u, resourceVersion: '5', creationTimestamp: null}\nspec: {containers: [{name: a}]}\nstatus: {phase: Running}\n",
        ),
        (
            "Terminal.yaml",
            "apiVersion: v1\nkind: Pod\nspec:\n  nodeSelector: {}\n  tolerations: []\n  containers:\n  - name: tty\n    tty: yes\n    env: [{name: N, value: 08}]\n    resources: {limits: {cpu: 0.5, memory: 1073741824}}\n    ports: [{containerPort: 8080, name: http}]\n",
        ),
        ("notes.txt", "not a template"),
        ("old.yml", "not a template"),
        (".hidden.yaml", "not a template"),
    ]);
    fs::create_dir(dir.path().join("..2026_11_23")).unwrap();
    let templates = Templates::load(Some(dir.path())).unwrap();
    assert_eq!(templates.namespace(), Some("mine"));
    assert_eq!(templates.pod_names(), [name("Terminal"), name("dualContainer"), name("singleContainer")]);
    let single = templates.pod(&name("singleContainer")).unwrap();
    let metadata = &single.metadata;
    assert_eq!((&metadata.uid, &metadata.resource_version, &single.status), (&None, &None, &None));
    let terminal = &containers(templates.pod(&name("Terminal")).unwrap())[0];
    let variable = &terminal.env.as_ref().unwrap()[0];
    assert_eq!((&*variable.name, variable.value.as_deref(), terminal.tty), ("N", Some("08"), Some(true)));
    let limits = terminal.resources.as_ref().unwrap().limits.clone();
    let limit = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
    assert_eq!(limits.unwrap(), [limit("cpu", "0.5"), limit("memory", "1073741824")].into());
    assert_eq!(templates.deployment(), Templates::default().deployment());
}

#[test]
fn a_text_without_quotes_keeps_its_spelling_wherever_it_stands() {
    for (spelling, text) in [
        ("0.50", "0.50"),
        ("0.50", "0.50 # a comment"),
        ("1e3", "1e3  "),
        ("0x1F", "0x1F"),
        ("-08", "-08"),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("True", "True"),
        ("~", "'~'"),
        ("010", "\"010\""),
        ("null", "!!str null"),
        ("1", "&anchor 1"),
    ] {
        for (before, after) in [
            ("metadata:\n  labels: {ä: \"ü\"}\n  annotations:\n    a: ", "\n    b: c\n"),
            ("metadata: {annotations: {a: ", ", b: c}}\n"),
            ("\u{feff}# é\r\nmetadata:\r\n  annotations:\r\n    a: ", "\r\n"),
        ] {
            let text = if before.contains('{') { text.split(" #").next().unwrap() } else { text };
            let yaml = format!("{before}{text}{after}");
            let path = Path::new("x.yaml");
            let pod = yaml::Document::parse(path, &yaml).and_then(|document| document.typed::<Pod>());
            let (pod, _) = pod.unwrap_or_else(|fault| panic!("{yaml}: {fault}"));
            assert_eq!(pod.metadata.annotations.unwrap()["a"], spelling, "{yaml}");
        }
    }
}

#[test]
fn aliases_and_merged_members_keep_the_spelling_of_their_definition() {
    let dir = folder(&[(
        "x.yaml",
        "metadata:\n  labels: &labels {a: 0.50, b: &b 010}\n  annotations: {<<: *labels, c: *b, d: 1.0}\nspec:\n  containers: [{name: a, tty: 'true', ports: [{containerPort: \"80\"}]}]\n",
    )]);
    let templates = Templates::load(Some(dir.path())).unwrap().if_sound().unwrap();
    let pod = templates.pod(&name("x")).unwrap();
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    assert_eq!(pod.metadata.labels, Some(pairs(&[("a", "0.50"), ("b", "010")])));
    assert_eq!(pod.metadata.annotations, Some(pairs(&[("a", "0.50"), ("b", "010"), ("c", "010"), ("d", "1.0")])));
    let container = &containers(pod)[0];
    let ports = container.ports.as_ref().unwrap();
    assert_eq!((container.tty, ports[0].container_port), (Some(true), 80), "quotes do not matter there");
}

#[test]
fn a_broken_file_is_told_with_its_place() {
    for (file, text, told) in [
        ("x.yaml", "a: [1\nb: 2", "x.yaml:2:2: is not valid YAML: illegal placement of ':' indicator"),
        (
            "x.yaml",
            "kind: Pod\nkind: Pod\n",
            "x.yaml:2:1: is not valid YAML: duplicate mapping key `kind` is not allowed here",
        ),
        ("x.yaml", "", "x.yaml: is no template: there is no mapping at its top level"),
        ("x.yaml", "- a\n", "x.yaml: is no template: there is no mapping at its top level"),
        (
            "x.yaml",
            "kind: Deployment\n",
            "x.yaml:1:1: kind: \"Deployment\" is not what a template of this name has, which is Pod",
        ),
        (
            "pvc.yaml",
            "apiVersion: v2\nkind: PersistentVolumeClaim\n",
            "pvc.yaml:1:1: apiVersion: \"v2\" is not what a template of this name has, which is v1",
        ),
        ("x.yaml", "kind: Pod\n", "x.yaml:1:1: spec.containers: is missing, there has to be one at least"),
        (
            "x.yaml",
            "spec:\n  restartPolicy: Never\n  containers: []\n",
            "x.yaml:3:3: spec.containers: is missing, there has to be one at least",
        ),
        (
            "x.yaml",
            "spec:\n  containers:\n  - image: i\n",
            "x.yaml:3:5: spec.containers[0].name: is no name of a container",
        ),
        (
            "x.yaml",
            "spec:\n  containers: [{name: a}, {name: a}]\n",
            "x.yaml:2:28: spec.containers[1].name: is that of another container",
        ),
        (
            "x.yaml",
            "spec:\n  containers:\n  - name: a\n    ports: [{containerPort: http}]\n",
            "x.yaml:4:14: spec.containers[0].ports[0].containerPort: does not fit: \"http\", expected i32",
        ),
        (
            "x.yaml",
            "spec:\n  containers:\n  - name: a\n    env: {N: v}\n",
            "x.yaml:4:5: spec.containers[0].env: does not fit: map, expected a sequence",
        ),
        (
            "x.yaml",
            "metadata:\n  labels:\n    app:\nspec: {containers: [{name: a}]}\n",
            "x.yaml:3:5: metadata.labels.app: does not fit: null, expected a string",
        ),
        (
            "x.yaml",
            "metadata:\n  annotations:\n    a: !!int \"5\"\nspec: {containers: [{name: a}]}\n",
            "x.yaml:3:5: metadata.annotations.a: does not fit: integer `5`, expected a string",
        ),
        (
            "x.yaml",
            "spec:\n  priority: 3000000000\n  containers: [{name: a}]\n",
            "x.yaml:2:3: spec.priority: does not fit: integer `3000000000`, expected i32",
        ),
        (
            "x.yaml",
            "spec:\n  containers:\n  - name: a\n    resources: {limits: {cpu: lots}}\n",
            "x.yaml:4:26: spec.containers[0].resources.limits.cpu: \"lots\" is not a quantity",
        ),
        (
            "x.yaml",
            "metadata:\n  labels:\n    a b: c\nspec: {containers: [{name: a}]}\n",
            "x.yaml:3:5: metadata.labels.a b: is not a label key",
        ),
        (
            "x.yaml",
            "metadata: {namespace: A}\nspec: {containers: [{name: a}]}\n",
            "x.yaml:1:12: metadata.namespace: is not the name of a namespace",
        ),
        (
            "service.yaml",
            "spec: {selector: {app: x}}\n",
            "service.yaml:1:1: spec.ports: is missing, the first one becomes the service's",
        ),
        ("pvc.yaml", "kind: PersistentVolumeClaim\n", "pvc.yaml:1:1: spec: is missing"),
        ("pvc.yaml", "spec:\n  volumeName: v\n", "pvc.yaml:1:1: spec.accessModes: is missing, such as [ReadWriteOnce]"),
    ] {
        let message = refused(file, text);
        assert!(message.starts_with(told) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn a_broken_file_costs_its_template_and_no_other() {
    let dir = folder(&[
        ("deployment.yaml", "kind: Pod\n"),
        ("pvc.yaml", ": :\n"),
        ("a.yaml", "{}"),
        ("b.yaml", "x: 1"),
        ("good.yaml", "spec: {containers: [{name: a}]}"),
    ]);
    let templates = Templates::load(Some(dir.path())).unwrap();
    let told: Vec<_> = templates.faults().map(ToString::to_string).collect();
    let of_file = |(fault, name): (&String, &str)| fault.starts_with(&format!("{}/{name}.yaml:", dir.path().display()));
    assert_eq!(told.len(), 4);
    assert!(told.iter().zip(["a", "b", "deployment", "pvc"]).all(of_file), "{told:?}");
    assert_eq!(templates.pod_names(), [name("dualContainer"), name("good"), name("singleContainer")]);
    assert!(templates.check(["good"]).is_ok());
    assert_eq!(templates.find_pod(&name("a")), Some(name("a")), "it is known, and cannot be used");
    let message = templates.check(["a"]).unwrap_err().to_string();
    assert!(message.starts_with("the template a cannot be used") && message.contains("a.yaml:1:1: spec."), "{message}");
    assert!(templates.check_for_service(false).unwrap_err().to_string().contains("deployment.yaml"));
    let dir = folder(&[("pvc.yaml", ": :\n")]);
    let templates = Templates::load(Some(dir.path())).unwrap();
    assert!(templates.check_for_service(false).is_ok() && templates.check_for_service(true).is_err());
}

#[test]
fn the_namespace_survives_a_broken_template() {
    let dir = folder(&[("singleContainer.yaml", "metadata: {namespace: mine}\nspec: {containers: []}\n")]);
    let templates = Templates::load(Some(dir.path())).unwrap();
    assert_eq!((templates.namespace(), templates.check(["singleContainer"]).is_err()), (Some("mine"), true));
}

#[test]
fn unknown_keys_and_names_are_ignored_with_a_warning_that_says_where() {
    let dir = folder(&[
        ("x.yaml", "spec:\n  containers:\n  - name: a\n    securityContex: {runAsNonRoot: true}\n"),
        ("my pod.yaml", "kind: Pod\n"),
        ("gpu_a100.yaml", "spec: {containers: [{name: a}]}"),
    ]);
    let templates = Templates::load(Some(dir.path())).unwrap();
    let path = format!("{}/", dir.path().display());
    let told: Vec<_> = templates.warnings().map(|warning| warning.to_string().replace(&path, "")).collect();
    assert!(told[0].starts_with("my pod.yaml: is ignored, its name is not a template's name"), "{told:?}");
    assert_eq!(
        told[1],
        "x.yaml:4:5: spec.containers[0].securityContex: is unknown here and ignored, correct or remove it"
    );
    assert_eq!(told.len(), 2);
    assert!(templates.pod(&name("gpu_a100")).is_some() && templates.faults().next().is_none());
}

#[test]
fn a_template_has_the_names_of_the_documentation_in_any_case() {
    let templates = Templates::default();
    for (called, meant) in [
        ("Default", "singleContainer"),
        ("SINGLECONTAINER", "singleContainer"),
        ("DualContainer", "dualContainer"),
        ("Terminal", "dualContainer"),
        ("linux", "singleContainer"),
    ] {
        assert_eq!(templates.find_pod(&name(called)), Some(name(meant)), "{called}");
    }
    assert_eq!(templates.find_pod(&name("windows")), None);
    let pod = "spec: {containers: [{name: a}]}";
    let dir = folder(&[("terminal.yaml", pod), ("gpu.yaml", pod), ("GPU.yaml", pod), ("win64.yaml", pod)]);
    let templates = Templates::load(Some(dir.path())).unwrap();
    for (called, meant) in [
        ("Terminal", Some("terminal")),
        ("Windows", Some("win64")),
        ("GPU", Some("GPU")),
        ("gpu", Some("gpu")),
        ("Gpu", None),
        ("deployment", None),
    ] {
        assert_eq!(templates.find_pod(&name(called)), meant.map(name), "{called}");
    }
}

#[test]
fn aliases_that_grow_without_bound_are_refused() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 9].join(",");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let message = refused("x.yaml", &text);
    assert!(message.starts_with("x.yaml") && message.len() < 500, "{message}");
}

#[test]
fn a_template_with_a_slip_is_used_or_refused_in_few_words() {
    let built_in = [
        ("singleContainer.yaml", include_str!("defaults/singleContainer.yaml")),
        ("deployment.yaml", include_str!("defaults/deployment.yaml")),
        ("service.yaml", include_str!("defaults/service.yaml")),
        ("pvc.yaml", include_str!("defaults/pvc.yaml")),
    ];
    let slips =
        (prop::sample::select(built_in.to_vec()), any::<prop::sample::Index>(), "\\PC{0,3}|[\\[\\]{}:&*!|>\n -]{1,4}");
    proptest!(ProptestConfig::with_cases(16), |(((file, text), place, slip) in slips)| {
        let mut text = text.to_owned();
        let place = place.index(text.len());
        text.replace_range(place..=place, &slip);
        let dir = folder(&[(file, &text)]);
        if let Err(faults) = Templates::load(Some(dir.path())).and_then(Templates::if_sound) {
            prop_assert!((1..4_000).contains(&faults.to_string().len()), "{}", faults);
        }
    });
}

#[test]
fn a_folder_that_is_none_is_told() {
    let dir = folder(&[("file", "")]);
    let faults = Templates::load(Some(&dir.path().join("file"))).unwrap_err().to_string();
    assert!(faults.contains("/file: cannot be read: "), "{faults}");
}
