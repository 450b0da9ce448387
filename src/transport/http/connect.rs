//! How a connection is made: as ureq makes it, with the TLS sessions of all requests kept in one place.

use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, Transport};

/// ureq's own connector, told that the TLS configuration is the agent's, which it is.
///
/// Every request of ours has a deadline of its own, and ureq takes a request with settings of its own for one that
/// may have another TLS configuration: it would read the authorities again each time and resume no session.
#[derive(Debug, Default)]
pub(super) struct Connect(DefaultConnector);

impl Connector for Connect {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.0.connect(&details, chained)
    }
}
