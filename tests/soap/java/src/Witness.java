import epj.AppRecStatus;
import epj.HubException;
import epj.RecordSystem;
import epj.SamhandlingHub;
import jakarta.activation.DataHandler;
import jakarta.activation.FileDataSource;
import jakarta.xml.soap.SOAPElement;
import jakarta.xml.soap.SOAPHeader;
import jakarta.xml.ws.BindingProvider;
import jakarta.xml.ws.WebServiceFeature;
import jakarta.xml.ws.handler.Handler;
import jakarta.xml.ws.handler.MessageContext;
import jakarta.xml.ws.handler.soap.SOAPHandler;
import jakarta.xml.ws.handler.soap.SOAPMessageContext;
import jakarta.xml.ws.soap.AddressingFeature;
import jakarta.xml.ws.soap.MTOMFeature;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import javax.xml.namespace.QName;

/** A record system in Java: classes as wsdl2java or wsimport generate them, and every operation once; prints what it saw. */
public final class Witness {
    private static final String WSSE =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

    public static void main(String[] given) throws Exception {
        String wsdl = given[0];
        int sender = Integer.parseInt(given[1]);
        int receiver = Integer.parseInt(given[2]);
        Path file = Path.of(given[5]);
        List<String> how = Arrays.asList(given[6].split(","));
        RecordSystem nurse = port(wsdl, given[3], how);
        RecordSystem doctor = port(wsdl, given[4], how);

        say("system", nurse.ping().getSystem());
        DataHandler document = new DataHandler(new FileDataSource(file.toFile()));
        var sent = doctor.submitMessage(sender, List.of(receiver), null, document, null, null);
        say("duplicate", sent.isDuplicate());
        var fetched = nurse.fetchMessage(sent.getMessageId());
        try (var stream = fetched.getDocument().getInputStream()) {
            say("same", Arrays.equals(stream.readAllBytes(), Files.readAllBytes(file)));
        }
        var listed = nurse.listMessages(List.of(receiver), 1000).getMessage();
        say("listed", listed.stream().anyMatch(one -> one.getMessageId().equals(sent.getMessageId())));
        say("confirmed", nurse.confirmMessages(receiver, List.of(sent.getMessageId())).getConfirmed());
        var standing = doctor.getMessageStatus(sent.getMessageId()).getReceiver().get(0);
        say("state", standing.getTransportDeliveryState().value());
        var answered = nurse.submitAppRec(sent.getMessageId(), receiver, AppRecStatus.OK, new ArrayList<>());
        say("answered", !answered.getMessageId().isEmpty());
        say("events", !doctor.getEvents(List.of(sender), 0L, 1000).getEvent().isEmpty());
        try {
            doctor.getMessageStatus("00000000-0000-0000-0000-000000000000");
        } catch (HubException fault) {
            say("fault", fault.getFaultInfo().getCode() + " " + fault.getFaultInfo().getErrorCode());
        }
    }

    private static RecordSystem port(String wsdl, String auth, List<String> how) throws Exception {
        List<WebServiceFeature> features = new ArrayList<>();
        if (how.contains("mtom")) {
            features.add(new MTOMFeature());
        }
        if (how.contains("addressing")) {
            features.add(new AddressingFeature(true, true));
        }
        SamhandlingHub service = new SamhandlingHub(URI.create(wsdl).toURL());
        RecordSystem port = service.getRecordSystemPort(features.toArray(new WebServiceFeature[0]));
        String[] pair = auth.split("\n");
        BindingProvider binding = (BindingProvider) port;
        if (how.contains("token")) {
            List<Handler> chain = new ArrayList<>(binding.getBinding().getHandlerChain());
            chain.add(new Token(pair[0], pair[1]));
            binding.getBinding().setHandlerChain(chain);
        } else {
            binding.getRequestContext().put(BindingProvider.USERNAME_PROPERTY, pair[0]);
            binding.getRequestContext().put(BindingProvider.PASSWORD_PROPERTY, pair[1]);
        }
        return port;
    }

    private static void say(String name, Object value) {
        System.out.println("seen " + name + "=" + value);
    }

    /** A UsernameToken with PasswordText that must be understood. */
    private record Token(String user, String key) implements SOAPHandler<SOAPMessageContext> {
        @Override
        public boolean handleMessage(SOAPMessageContext context) {
            if (!Boolean.TRUE.equals(context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY))) {
                return true;
            }
            try {
                SOAPHeader header = context.getMessage().getSOAPHeader();
                if (header == null) {
                    header = context.getMessage().getSOAPPart().getEnvelope().addHeader();
                }
                var security = header.addHeaderElement(new QName(WSSE, "Security", "wsse"));
                security.setMustUnderstand(true);
                SOAPElement token = security.addChildElement(new QName(WSSE, "UsernameToken", "wsse"));
                token.addChildElement(new QName(WSSE, "Username", "wsse")).addTextNode(user);
                token.addChildElement(new QName(WSSE, "Password", "wsse")).addTextNode(key);
                return true;
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }

        @Override
        public boolean handleFault(SOAPMessageContext context) {
            return true;
        }

        @Override
        public void close(MessageContext context) {
            // nothing is held
        }

        @Override
        public Set<QName> getHeaders() {
            return Set.of(new QName(WSSE, "Security"));
        }
    }
}
