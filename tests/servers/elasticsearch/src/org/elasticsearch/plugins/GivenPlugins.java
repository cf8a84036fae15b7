package org.elasticsearch.plugins;

import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.elasticsearch.Build;
import org.elasticsearch.common.settings.Settings;

/** Plugins of the class path: a node of the distribution would look for them in its folder of modules. */
public final class GivenPlugins extends PluginsService {
    private final List<LoadedPlugin> given;

    public GivenPlugins(Settings settings, Path config, PluginsLoader loader, Stream<Class<? extends Plugin>> types) {
        super(settings, config, loader);
        String java = String.valueOf(Runtime.version().feature());
        given = types.map(type -> {
            String name = type.getName();
            var described = new PluginDescriptor(
                name, name, "1", Build.current().version(), java, name, null, List.of(),
                false, false, false, false, PluginDescriptor.DeploymentTarget.ALL);
            return new LoadedPlugin(described, loadPlugin(type, settings, config), type.getClassLoader());
        }).toList();
        loadExtensions(given);
    }

    @Override
    protected List<LoadedPlugin> plugins() {
        return given;
    }

    /** All of them share a class loader; asking each plugin's would find every provider several times. */
    @Override
    public <T> List<? extends T> loadServiceProviders(Class<T> service) {
        return ServiceLoader.load(service, GivenPlugins.class.getClassLoader()).stream().map(ServiceLoader.Provider::get).toList();
    }
}
